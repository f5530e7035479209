#include "admission/open_calls.hpp"

#include <doctest/doctest.h>

namespace weir::admission {
namespace {

constexpr std::int64_t kStart = 1'795'000'000'000'000;

OpenCall call(std::int64_t after_us, std::int64_t lease_us) {
  OpenCall call;
  call.id = kStart + after_us;
  call.lease = Micros(lease_us);
  return call;
}
SteadyTime at(std::int64_t after_us) {
  return SteadyTime(Micros(kStart + after_us));
}
std::vector<ledger::CallId> expired(OpenCalls& calls, std::int64_t after_us,
                                    std::int64_t decided_after_us = 1'000'000'000'000) {
  std::vector<ledger::CallId> ids;
  calls.expired(at(after_us), kStart + decided_after_us, ids);
  for (ledger::CallId& id : ids) id -= kStart;
  return ids;
}

}  // namespace

TEST_CASE("a lease ends at the first whole second at or after its end, once") {
  OpenCalls calls;
  calls.insert(call(0, 1'000'000));
  calls.insert(call(10, 1'500'000));
  CHECK(expired(calls, 999'999).empty());
  CHECK(expired(calls, 1'000'000) == std::vector<ledger::CallId>{0});
  calls.erase(kStart);
  CHECK(expired(calls, 1'999'999).empty());
  CHECK(expired(calls, 2'000'000) == std::vector<ledger::CallId>{10});
}

TEST_CASE("a call whose caller has no answer yet outlives its lease until it is decided") {
  OpenCalls calls;
  calls.insert(call(0, 1'000'000));
  calls.insert(call(1, 1'000'000));
  CHECK(expired(calls, 1'000'000, 0) == std::vector<ledger::CallId>{0});
  calls.erase(kStart);
  CHECK(expired(calls, 2'000'000, 0).empty());
  CHECK(expired(calls, 3'000'000, 1) == std::vector<ledger::CallId>{1});
}

TEST_CASE("a suspend longer than the wheel expires everything, in the order of admission") {
  OpenCalls calls;
  for (std::int64_t i = 0; i < 100; ++i) calls.insert(call(i, (100 - i) * 30'000'000));
  const auto ids = expired(calls, 30'000'000'000);
  REQUIRE(ids.size() == 100);
  CHECK(std::is_sorted(ids.begin(), ids.end()));
}

TEST_CASE("the longest lease is not taken for one that is due now") {
  OpenCalls calls;
  CHECK(expired(calls, 0).empty());
  calls.insert(call(1, OpenCalls::kMaxLease.count()));
  for (std::int64_t s = 1; s < 3600; ++s) REQUIRE(expired(calls, s * 1'000'000).empty());
  CHECK(expired(calls, 3'601'000'000) == std::vector<ledger::CallId>{1});
}

TEST_CASE("a kept call's lease never ends, and others around it end as ever") {
  OpenCalls calls;
  calls.insert(call(0, 1'000'000));
  calls.insert(call(1, 1'000'000));
  calls.insert(call(2, 1'000'000));
  calls.find(kStart + 1)->kept = true;
  CHECK(expired(calls, 1'000'000'000) == std::vector<ledger::CallId>{0, 2});
  calls.erase(kStart);
  calls.erase(kStart + 2);
  for (std::int64_t s = 1001; s < 20'000; ++s) REQUIRE(expired(calls, s * 1'000'000).empty());
  CHECK(calls.oldest() == kStart + 1);
  calls.erase(kStart + 1);
  CHECK(calls.size() == 0);
}

TEST_CASE("slots are reused, and the oldest open call is known whatever is closed in between") {
  OpenCalls calls;
  CHECK(calls.oldest() == 0);
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 20; ++i) calls.insert(call(round * 1000 + i, 60'000'000));
    CHECK(calls.oldest() == kStart + round * 1000);
    for (int i = 19; i > 0; --i) calls.erase(kStart + round * 1000 + i);
    CHECK(calls.oldest() == kStart + round * 1000);
    calls.erase(kStart + round * 1000);
    CHECK(calls.size() == 0);
  }
  CHECK(calls.find(kStart) == nullptr);
}

}  // namespace weir::admission
