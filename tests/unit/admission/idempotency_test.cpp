#include "admission/idempotency.hpp"

#include <array>

#include <doctest/doctest.h>

namespace weir::admission {
namespace {

const SteadyTime kStart{std::chrono::hours(1000)};
const KeyHash kKey = hash_of("one"), kOther = hash_of("another");

}  // namespace

TEST_CASE("a key that was forgotten and is used again is kept for a day from its second use") {
  Idempotency keys;
  keys.remember(kKey, {.body_hash = 1, .call = 0}, kStart);
  keys.forget(kKey);
  keys.remember(kKey, {.body_hash = 1, .call = 7}, kStart + std::chrono::hours(23));
  keys.remember(kOther, {.body_hash = 2, .call = 8}, kStart + std::chrono::hours(25));
  REQUIRE(keys.find(kKey));
  CHECK(keys.find(kKey)->call == 7);
  keys.remember(hash_of("late"), {}, kStart + std::chrono::hours(48));
  CHECK(!keys.find(kKey));
  CHECK(keys.find(kOther));
}

TEST_CASE("of calls that were refused no key is left") {
  Idempotency keys;
  keys.remember(kKey, {.body_hash = 1, .call = 7}, kStart);
  keys.remember(kOther, {.body_hash = 2, .call = 8}, kStart);
  keys.forget(std::array<ledger::CallId, 2>{6, 7});
  CHECK(!keys.find(kKey));
  CHECK(keys.find(kOther));
}

}  // namespace weir::admission
