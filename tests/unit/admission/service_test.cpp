#include <doctest/doctest.h>

#include "tests/unit/admission/fixture.hpp"

namespace weir::admission {

TEST_CASE("a denied call charges nothing, and its denial is in the totals") {
  Bench b({.projects = {project("default", {limit({"m"}, Metric::requests, "60s", 2),
                                            limit({"m"}, Metric::input_tokens, "60s", 1000)})},
           .pools = {},
           .consumers = {}});
  CHECK(b.admit("m", 400) == Verdict::admitted);
  CHECK(b.admit("m", 700) == Verdict::denied);  // the tokens have no room, the requests have
  CHECK(b.view("m/requests/60s").held == 1);
  CHECK(b.admit("m", 400) == Verdict::admitted);
  CHECK(b.admit("m", 1) == Verdict::denied);
  CHECK(b.view("m/input_tokens/60s").held == 800);
  CHECK(b.admit("m", 1001) == Verdict::never_fits);
  b.advance(std::chrono::seconds(1));
  b.drain();
  ledger::UsageQuery query;
  query.project_zone = [](std::string_view) { return Zone::utc(); };
  const auto rows = ledger::Reader(b.directory.file()).usage(query);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].totals.denied == 2);
}

TEST_CASE("an expired lease keeps its charge, and a late settlement corrects it once") {
  Bench b({.projects = {project("default", {limit({"m"}, Metric::input_tokens, "day", 1000)})},
           .pools = {},
           .consumers = {}});
  Ask ask = b.ask("m", 600);
  ask.lease = std::chrono::seconds(2);
  const ledger::CallId id = b.service.admit(ask, b.now).call->id;
  b.drain();
  b.advance(std::chrono::seconds(3));
  CHECK(b.view("m/input_tokens/day").used == 600);
  CHECK(b.view("m/input_tokens/day").held == 0);
  ledger::Call call = b.read(id);
  CHECK(call.outcome.state == ledger::State::expired);

  CHECK(b.service.settle(id, used(100, 5), b.now).verdict == SettleVerdict::not_open);
  CHECK(b.service.settle_closed(call, used(100, 5), b.now).verdict == SettleVerdict::settled);
  CHECK(b.view("m/input_tokens/day").used == 100);
  call = b.read(id);
  CHECK(b.service.settle_closed(call, used(100, 5), b.now).verdict == SettleVerdict::repeated);
  CHECK(b.service.settle_closed(call, used(101, 5), b.now).verdict == SettleVerdict::contradicted);
  CHECK(b.view("m/input_tokens/day").used == 100);
}

TEST_CASE("many leases that end at once do not hold the loop: the rest ends at the events that follow") {
  Bench b({.projects = {project("default", {limit({"m"}, Metric::requests, "day", 1'000'000)})},
           .pools = {},
           .consumers = {}});
  constexpr std::int64_t kCalls = 2 * Service::kExpireAtOnce + 10;
  Ask ask = b.ask("m");
  ask.lease = std::chrono::seconds(1);
  for (std::int64_t i = 0; i < kCalls; ++i) b.last = b.service.admit(ask, b.now).call->id;
  b.drain();

  b.advance(std::chrono::seconds(2));
  constexpr auto kFirst = static_cast<std::int64_t>(Service::kExpireAtOnce);
  CHECK(b.view("m/requests/day").used == kFirst);
  CHECK(b.view("m/requests/day").held == kCalls - kFirst);
  REQUIRE(b.service.next_event());
  CHECK(*b.service.next_event() <= b.now.steady);
  // Not ended yet, so it may still be settled as any open call.
  CHECK(b.service.settle(b.last, used(100, 5), b.now).verdict == SettleVerdict::settled);

  int events = 0;
  for (; b.service.next_event() && events < 10; ++events) b.service.tick(b.now);
  CHECK(events == 2);
  CHECK(b.view("m/requests/day").held == 0);
  CHECK(b.view("m/requests/day").used == kCalls);
  CHECK(b.read(b.last).outcome.state == ledger::State::settled);
}

TEST_CASE("a cancelled call leaves no trace in any limit, even after its lease") {
  Bench b({.projects = {project("default", {limit({"m"}, Metric::requests, "day", 3)})},
           .pools = {},
           .consumers = {}});
  REQUIRE(b.admit("m") == Verdict::admitted);
  CHECK(b.service.cancel(b.last, b.now) == SettleVerdict::settled);
  CHECK(b.view("m/requests/day").remaining == 3);
  CHECK(b.service.cancel_closed(b.read(b.last), b.now) == SettleVerdict::repeated);
  CHECK(b.service.settle_closed(b.read(b.last), used(100, 5), b.now).verdict == SettleVerdict::gone);
  CHECK(b.view("m/requests/day").remaining == 3);

  Ask ask = b.ask("m");
  ask.lease = std::chrono::seconds(1);
  const ledger::CallId id = b.service.admit(ask, b.now).call->id;
  b.drain();
  b.advance(std::chrono::seconds(2));
  CHECK(b.view("m/requests/day").used == 1);
  CHECK(b.service.cancel_closed(b.read(id), b.now) == SettleVerdict::settled);
  CHECK(b.view("m/requests/day").used == 0);
}

TEST_CASE("a recorded call counts beyond the limit, on the day it was made") {
  Bench b({.projects = {project("default", {limit({"m"}, Metric::requests, "day", 1)})},
           .pools = {},
           .consumers = {}});
  Lane* lane = b.service.directory().lane("default", "m", "default", b.now.wall);
  for (int i = 0; i < 3; ++i) b.service.record(*lane, b.now.wall, Amounts{}, used(1, 1), b.now);
  CHECK(b.view("m/requests/day").used == 3);
  b.service.record(*lane, b.now.wall - std::chrono::hours(24), Amounts{}, used(1, 1), b.now);
  CHECK(b.view("m/requests/day").used == 3);
  CHECK(b.admit("m") == Verdict::denied);
}

TEST_CASE("a 429 that names a day's quota shuts it until the day ends, and forgetting reopens it") {
  Bench b({.projects = {project("default", {limit({"m"}, Metric::requests, "day", 100),
                                            limit({"m"}, Metric::requests, "60s", 50)})},
           .pools = {},
           .consumers = {}});
  REQUIRE(b.admit("m") == Verdict::admitted);
  Settlement refused;
  refused.status = 429;
  refused.error = provider::UpstreamError{.status = 429,
                                          .kind = provider::ErrorKind::quota,
                                          .code = "RESOURCE_EXHAUSTED",
                                          .reason = {},
                                          .message = "used up",
                                          .violations = {},
                                          .retry_after = std::chrono::seconds(21)};
  provider::QuotaViolation violation;
  violation.quota_id = "GenerateRequestsPerDayPerProjectPerModel-FreeTier";
  violation.period = provider::QuotaPeriod::day;
  refused.error->violations.push_back(violation);
  b.service.settle(b.last, refused, b.now);

  CHECK(b.admit("m") == Verdict::denied);
  REQUIRE(b.service.observations().all().size() == 1);
  CHECK(b.service.observations().all()[0].until == *parse_rfc3339("2026-11-23T08:00:00.250Z"));
  CHECK(b.service.observations().forget(b.service.observations().all()[0].id, b.now));
  CHECK(b.admit("m") == Verdict::admitted);
}

TEST_CASE("past the most open admissions none is given, and a settlement makes room") {
  Bench b({.projects = {project("default", {})}, .pools = {}, .consumers = {}, .max_open = 2});
  CHECK(b.admit("m") == Verdict::admitted);
  CHECK(b.admit("m") == Verdict::admitted);
  CHECK(b.admit("m") == Verdict::too_many_open);
  b.service.settle(b.last, used(1, 1), b.now);
  CHECK(b.admit("m") == Verdict::admitted);
}

}  // namespace weir::admission
