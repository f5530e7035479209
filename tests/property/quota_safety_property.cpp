// The safety invariant: for every limit, every phase and kind of window, the provider's count never passes
// the limit, if delays stay within the guard and actual tokens within the estimate.
#include <doctest/doctest.h>

#include "quota_random.hpp"
#include "quota_traffic.hpp"

namespace weir::property {
namespace {

constexpr std::int64_t kCallsOfAWorld = 3000;

TEST_CASE("no provider ever counts more than its limit, however it counts") {
  const std::uint64_t first = first_seed();
  Outcome total;
  for (int i = 0; i < scaled(3000); ++i) {
    const std::uint64_t seed = first + static_cast<std::uint64_t>(i);
    const Outcome outcome = run_traffic(seed, kCallsOfAWorld);
    total.asked += outcome.asked;
    total.admitted += outcome.admitted;
    total.counted += outcome.counted;
    INFO("repeat with WEIR_TEST_SEED=", seed, ": ", outcome.excess.value_or(""));
    REQUIRE_FALSE(outcome.excess);
  }
  // A book that denies everything would be safe too.
  CHECK(total.admitted > total.asked / 10);
  MESSAGE(total.asked, " calls asked for, ", total.admitted, " admitted, ", total.counted, " counted");
}

void check_caught(Fault fault) {
  // The rarest of these faults shows in about two worlds of a hundred.
  constexpr int kWorlds = 1000;
  const std::uint64_t first = first_seed();
  int worlds = 0;
  bool caught = false;
  while (!caught && worlds < kWorlds) {
    caught =
        run_traffic(first + static_cast<std::uint64_t>(worlds++), kCallsOfAWorld, fault).excess.has_value();
  }
  INFO("first seed ", first);
  CHECK(caught);
  MESSAGE("caught in world ", worlds);
}

TEST_CASE("the recorders catch charges that age from the admission") {
  check_caught(Fault::ages_from_admission);
}
TEST_CASE("the recorders catch windows of half the length") {
  check_caught(Fault::half_window);
}
TEST_CASE("the recorders catch a forgotten guard") {
  check_caught(Fault::no_guard);
}
TEST_CASE("the recorders catch a call that its caller gave up before it was counted") {
  check_caught(Fault::gave_up_without_guard);
}
TEST_CASE("the recorders catch an expired call that frees what it held") {
  check_caught(Fault::expiry_forgets);
}
TEST_CASE("the recorders catch charging after the answer") {
  check_caught(Fault::charges_at_settlement);
}
TEST_CASE("the recorders catch days that end without a guard") {
  check_caught(Fault::midnight_without_guard);
}
TEST_CASE("the recorders catch days in UTC") {
  check_caught(Fault::days_in_utc);
}
TEST_CASE("the recorders catch a pool that is counted for each model apart") {
  check_caught(Fault::pool_apart);
}

}  // namespace
}  // namespace weir::property
