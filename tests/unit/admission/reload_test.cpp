#include <memory>

#include <doctest/doctest.h>

#include "admission/recount.hpp"
#include "tests/unit/admission/fixture.hpp"

namespace weir::admission {
namespace {

Setup of(std::vector<ProjectSetup> projects) {
  Setup setup;
  setup.projects = std::move(projects);
  return setup;
}

Setup requests_a_day(std::int64_t amount) {
  return of({project("default", {limit({"*"}, Metric::requests, "day", amount)})});
}

// The ledger read as it is now, for a reload that may come later.
std::unique_ptr<Recount> recount(Bench& bench, const Setup& setup) {
  std::unique_ptr<Recount> counted;
  bench.ledger.cut([&] { bench.service.begin_recount(); },
                   [&](bool good) {
                     REQUIRE(good);
                     ledger::Reader reader(bench.directory.file());
                     reader.pin();
                     counted =
                         std::make_unique<Recount>(setup, catalog::Catalog::embedded(), reader, bench.now);
                   });
  REQUIRE(bench.loop.run_until([&] { return counted != nullptr; }));
  return counted;
}

void reload(Bench& bench, const Setup& setup) {
  const auto counted = recount(bench, setup);
  REQUIRE(bench.service.recount_holds());
  bench.service.reload(setup, *counted, bench.now);
}

TEST_CASE("a changed amount keeps what is used and held") {
  Bench bench(requests_a_day(3));
  REQUIRE(bench.admit("m") == Verdict::admitted);
  bench.service.settle(bench.last, used(1, 1), bench.now);
  REQUIRE(bench.admit("m") == Verdict::admitted);
  reload(bench, requests_a_day(2));
  CHECK(bench.view("*/requests/day").used == 1);
  CHECK(bench.view("*/requests/day").held == 1);
  CHECK(bench.admit("m") == Verdict::denied);
  reload(bench, requests_a_day(3));
  CHECK(bench.admit("m") == Verdict::admitted);
}

TEST_CASE("a new limit counts the calls of its window that were made before it") {
  Bench bench(of({project("default", {})}));
  for (int i = 0; i < 3; ++i) {
    REQUIRE(bench.admit("m", 100) == Verdict::admitted);
    bench.service.settle(bench.last, used(100, 1), bench.now);
  }
  REQUIRE(bench.admit("m", 100) == Verdict::admitted);
  reload(bench, of({project("default", {limit({"m"}, Metric::requests, "60s", 5),
                                        limit({"m"}, Metric::input_tokens, "day", 1000)})}));
  CHECK(bench.view("m/requests/60s").used == 3);
  CHECK(bench.view("m/requests/60s").held == 1);
  CHECK(bench.view("m/input_tokens/day").used == 300);
  CHECK(bench.view("m/input_tokens/day").held == 100);
}

TEST_CASE("another time zone of a project cuts the day that is under way anew") {
  const auto in = [](const char* zone) {
    ProjectSetup setup = project("default", {limit({"*"}, Metric::requests, "day", 10, zone)});
    setup.time_zone = zone;
    return of({setup});
  };
  Bench bench(in("UTC"));
  const auto call_at = [&](const char* at) {
    bench.now.wall = *parse_rfc3339(at);
    REQUIRE(bench.admit("m") == Verdict::admitted);
    bench.service.settle(bench.last, used(1, 1), bench.now);
  };
  call_at("2026-11-22T09:30:00Z");
  call_at("2026-11-22T10:30:00Z");
  CHECK(bench.view("*/requests/day").used == 2);
  reload(bench, in("Pacific/Kiritimati"));  // where the 23rd began at 10:00 UTC
  CHECK(bench.view("*/requests/day").used == 1);
  call_at("2026-11-22T10:31:00Z");
  reload(bench, in("Pacific/Kiritimati"));
  CHECK(bench.view("*/requests/day").used == 2);
  reload(bench, in("UTC"));
  CHECK(bench.view("*/requests/day").used == 3);
}

TEST_CASE("what is charged between the reading of the ledger and the reload counts once") {
  Bench bench(requests_a_day(10));
  REQUIRE(bench.admit("m") == Verdict::admitted);
  const ledger::CallId before = bench.last;
  const Setup next = of({project("default", {limit({"*"}, Metric::requests, "60s", 10)})});
  const auto counted = recount(bench, next);
  bench.service.settle(before, used(1, 1), bench.now);  // open when the ledger was read
  REQUIRE(bench.admit("m") == Verdict::admitted);
  bench.service.settle(bench.last, used(1, 1), bench.now);
  REQUIRE(bench.admit("m") == Verdict::admitted);
  bench.service.cancel(bench.last, bench.now);
  REQUIRE(bench.service.recount_holds());
  bench.service.reload(next, *counted, bench.now);
  CHECK(bench.view("*/requests/60s").used == 2);
  CHECK(bench.view("*/requests/60s").held == 0);
}

TEST_CASE("open calls of a removed project can be settled, and new ones are not admitted") {
  const ProjectSetup stays = project("default", {});
  Bench bench(of({stays, project("gone", {limit({"*"}, Metric::requests, "day", 10)})}));
  const Answer answer = bench.service.admit(bench.ask("m", 0, "default", "gone"), bench.now);
  REQUIRE(answer.verdict == Verdict::admitted);
  const ledger::CallId id = answer.call->id;
  reload(bench, of({stays}));
  CHECK(bench.service.route("gone", "m", "default", bench.now) == nullptr);
  reload(bench, of({stays}));  // once more: it is still open
  const Settled settled = bench.service.settle(id, used(5, 7), bench.now);
  CHECK(settled.verdict == SettleVerdict::settled);
  CHECK(settled.lane->project_name == "gone");
  CHECK(bench.read(id).outcome.usage.input_tokens == 5);
  // When it comes back, that call counts.
  reload(bench, of({stays, project("gone", {limit({"*"}, Metric::requests, "day", 10)})}));
  CHECK(bench.view("*/requests/day", "gone").used == 1);
}

TEST_CASE("waiting calls are decided anew") {
  Bench bench(of({project("default", {limit({"*"}, Metric::in_flight, "in_flight", 1)})}));
  REQUIRE(bench.admit("m") == Verdict::admitted);
  std::vector<std::pair<std::string, Verdict>> heard;
  const auto wait = [&](const std::string& name, const std::string& where, std::int64_t tokens) {
    Ask ask = bench.ask("m", tokens, "default", where);
    ask.wait = std::chrono::seconds(30);
    const Answer answer = bench.service.admit(
        ask, bench.now, [&heard, name](const Answer& late) { heard.emplace_back(name, late.verdict); });
    REQUIRE(answer.verdict == Verdict::waiting);
    return answer.ticket;
  };
  wait("first", "default", 10);
  wait("large", "default", 1000);
  const std::uint64_t third = wait("third", "default", 10);
  wait("fourth", "default", 10);
  bench.advance(Micros(10'000));
  REQUIRE(heard.empty());
  SUBCASE("more room lets them in, in their order; what can never fit is told so") {
    reload(bench, of({project("default", {limit({"*"}, Metric::in_flight, "in_flight", 3),
                                          limit({"*"}, Metric::input_tokens, "60s", 500)})}));
    CHECK(heard == std::vector<std::pair<std::string, Verdict>>{{"first", Verdict::admitted},
                                                                {"large", Verdict::never_fits},
                                                                {"third", Verdict::admitted}});
    CHECK(bench.service.waiting() == 1);
  }
  SUBCASE("with the same room they go on to wait, by the same tickets") {
    reload(bench, of({project("default", {limit({"*"}, Metric::in_flight, "in_flight", 1)})}));
    CHECK(heard.empty());
    CHECK(bench.service.waiting() == 4);
    bench.service.abandon(third);
    CHECK(bench.service.waiting() == 3);
    bench.service.settle(bench.last, used(1, 1), bench.now);
    CHECK(heard == std::vector<std::pair<std::string, Verdict>>{{"first", Verdict::admitted}});
  }
  SUBCASE("their project may have gone") {
    reload(bench, of({project("other", {})}));
    CHECK(heard.size() == 4);
    for (const auto& [name, verdict] : heard) CHECK(verdict == Verdict::removed);
    CHECK(bench.service.waiting() == 0);
  }
}

TEST_CASE("what was learned is still known, and its limits too") {
  Bench bench(requests_a_day(10));
  Settlement refused;
  refused.status = 429;
  refused.error = provider::UpstreamError{};
  refused.error->status = 429;
  refused.error->kind = provider::ErrorKind::quota;
  provider::QuotaViolation violation;
  violation.metric = Metric::requests;
  violation.period = provider::QuotaPeriod::day;
  violation.amount = 4;
  refused.error->violations = {violation};
  REQUIRE(bench.admit("m") == Verdict::admitted);
  bench.service.settle(bench.last, refused, bench.now);
  const quota::LimitView before = bench.view("*/requests/day");
  REQUIRE(before.exhausted_until);
  reload(bench, requests_a_day(10));
  CHECK(bench.view("*/requests/day") == before);
  CHECK(bench.service.observations().all().size() == 2);
}

TEST_CASE("a recount does not hold when a limit was learned meanwhile") {
  Bench bench(requests_a_day(10));
  const auto counted = recount(bench, requests_a_day(10));
  REQUIRE(bench.service.recount_holds());
  Settlement refused;
  refused.status = 429;
  refused.error = provider::UpstreamError{};
  refused.error->status = 429;
  refused.error->kind = provider::ErrorKind::unnamed_429;
  REQUIRE(bench.admit("m") == Verdict::admitted);
  bench.service.settle(bench.last, refused, bench.now);  // the model rests: that is a limit
  CHECK(!bench.service.recount_holds());
}

}  // namespace
}  // namespace weir::admission
