#include "admission/settlement.hpp"

#include <doctest/doctest.h>

#include "time/rfc3339.hpp"

namespace weir::admission {
namespace {

constexpr Micros kGuard{250'000};
const WallTime kNoon = *parse_rfc3339("2026-11-22T12:00:00Z");
const SteadyTime kSteadyNoon{kNoon.time_since_epoch()};

Settlement status(int code) {
  Settlement settlement;
  settlement.status = code;
  return settlement;
}

}  // namespace

TEST_CASE("a usage is charged as it is, below or above the estimate") {
  Settlement settlement;
  settlement.usage = Usage{.input_tokens = 100,
                           .cached_input_tokens = 40,
                           .output_tokens = 7,
                           .thoughts_tokens = 3,
                           .tool_use_tokens = 20};
  const Amounts charged = charge_of(settlement, Amounts{2, 50, 5, 1, 999}, 77);
  CHECK(charged == Amounts{2, 120, 10, 1, 77});
}

TEST_CASE("without a usage the estimate stays for 2xx and 4xx, and only the request for 5xx") {
  const Amounts held{1, 50, 5, 1, 999};
  CHECK(charge_of(status(200), held, 0) == held);
  CHECK(charge_of(status(400), held, 0) == Amounts{1, 50, 0, 0, 0});
  CHECK(charge_of(status(429), held, 0) == Amounts{1, 50, 0, 0, 0});
  CHECK(charge_of(status(503), held, 0) == Amounts{1, 0, 0, 0, 0});
}

TEST_CASE("a partial answer charges what was seen, or else the whole estimate, and is marked") {
  OpenCall call;
  call.id = kSteadyNoon.time_since_epoch().count();
  call.held = Amounts{1, 50, 5, 1, 999};
  Settlement settlement = status(502);
  settlement.partial = true;
  const Now now{kSteadyNoon, kNoon};
  const ledger::Outcome unseen = outcome_of(settlement, call, catalog::Price{}, kGuard, now);
  CHECK(unseen.charged == call.held);
  CHECK(unseen.estimated);
  settlement.usage = Usage{.input_tokens = 40, .output_tokens = 2};
  const ledger::Outcome seen = outcome_of(settlement, call, catalog::Price{}, kGuard, now);
  CHECK(seen.charged.input_tokens == 40);
  CHECK(seen.charged.output_tokens == 2);
  CHECK(seen.estimated);
}

TEST_CASE(
    "a charge ages from what was sent, never before the admission and never after the settlement, plus the "
    "guard") {
  const Now now{kSteadyNoon + std::chrono::seconds(10), kNoon + std::chrono::seconds(10)};
  Settlement settlement;
  CHECK(latest_moment(settlement, kSteadyNoon, kGuard, now) == now.steady + kGuard);
  settlement.sent_at = kNoon + std::chrono::seconds(3);
  CHECK(latest_moment(settlement, kSteadyNoon, kGuard, now) ==
        kSteadyNoon + std::chrono::seconds(3) + kGuard);
  settlement.sent_at = kNoon - std::chrono::hours(1);
  CHECK(latest_moment(settlement, kSteadyNoon, kGuard, now) == kSteadyNoon + kGuard);
  settlement.sent_at = kNoon + std::chrono::hours(1);
  CHECK(latest_moment(settlement, kSteadyNoon, kGuard, now) == now.steady + kGuard);
}

TEST_CASE("settlements that say the same have one fingerprint, others another") {
  Settlement a = status(200);
  a.usage = Usage{.input_tokens = 1};
  Settlement b = a;
  CHECK(fingerprint(a) == fingerprint(b));
  b.usage->output_tokens = 1;
  CHECK(fingerprint(a) != fingerprint(b));
  CHECK(fingerprint(status(200)) != fingerprint(a));
  CHECK(fingerprint(status(200)) != fingerprint(status(201)));
}

TEST_CASE("a call straddles if a quarter of an hour lies within its span and the guard, or if it is long") {
  const Micros skew{0};
  const auto span = [&](std::int64_t from_us, std::int64_t to_us) {
    return quota::Span{kSteadyNoon + Micros(from_us), kSteadyNoon + Micros(to_us), skew};
  };
  CHECK_FALSE(straddles(span(1'000'000, 2'000'000), kGuard));
  CHECK(straddles(span(100'000, 2'000'000), kGuard));        // the guard reaches back over noon
  CHECK(straddles(span(899'800'000, 899'800'000), kGuard));  // and forward over a quarter past
  CHECK(straddles(span(1'000'000, 901'000'000), kGuard));
  CHECK_FALSE(straddles(span(1'000'000, 61'000'000), kGuard));
  CHECK(straddles(span(1'000'000, 61'000'001), kGuard));  // long
}

TEST_CASE("a late settlement's totals replace those of the expiry") {
  OpenCall call;
  call.id = kSteadyNoon.time_since_epoch().count();
  call.held = Amounts{1, 100, 0, 0, 0};
  call.lease = std::chrono::seconds(1);
  const ledger::Outcome expiry = expiry_of(call, kGuard);
  Settlement settlement;
  settlement.usage = Usage{.input_tokens = 30, .output_tokens = 4};
  const ledger::Outcome settled =
      outcome_of(settlement, call, catalog::Price{}, kGuard, {kSteadyNoon, kNoon});
  ledger::Totals totals = totals_of(expiry);
  CHECK(totals.expired == 1);
  CHECK(totals.charged.input_tokens == 100);
  totals += totals_of(settled) - totals_of(expiry);
  CHECK(totals == totals_of(settled));
  CHECK(totals_of(cancellation_of(call, {kSteadyNoon, kNoon})) == ledger::Totals{});
}

}  // namespace weir::admission
