#include "quota/sliding_window.hpp"

#include <doctest/doctest.h>

#include "allocations.hpp"

namespace weir::quota {
namespace {

using namespace std::chrono_literals;

SteadyTime at(Micros since_start) {
  return SteadyTime(1'000h + since_start);
}

TEST_CASE("a charge leaves one window after its latest moment, late by at most one bucket and never early") {
  for (const Micros length : {Micros(1s), Micros(60s), Micros(600s), Micros(24h * 31), Micros(1'000'003)}) {
    for (const Micros latest :
         {Micros(0), Micros(1), Micros(10s), Micros(10s + 78'125us), Micros(10s + 78'126us)}) {
      CAPTURE(length.count());
      CAPTURE(latest.count());
      SlidingWindow window(length);
      window.advance(at(0s));
      window.add(at(latest), 5);
      const Micros bucket = (length + Micros(SlidingWindow::kBuckets - 1)) / SlidingWindow::kBuckets;
      window.advance(at(latest + length - Micros(1)));
      CHECK(window.used() == 5);
      const auto leaves = window.freed(5);
      REQUIRE(leaves);
      CHECK(*leaves >= at(latest + length));
      CHECK(*leaves < at(latest + length + bucket));
      window.advance(*leaves - Micros(1));
      CHECK(window.used() == 5);
      window.advance(*leaves);
      CHECK(window.used() == 0);
    }
  }
}

TEST_CASE("the example in the header holds") {
  SlidingWindow window(60s);
  window.add(SteadyTime(10s), 1);
  CHECK(window.next_leave() == SteadyTime(70'078'125us));
}

TEST_CASE("charges leave in the order of their moments, not of their arrival") {
  SlidingWindow window(60s);
  window.advance(at(20s));
  window.add(at(20s), 100);
  window.add(at(5s), 1);
  window.add(at(10s), 10);
  window.add(at(5s), 1);
  CHECK(window.used() == 112);
  window.advance(at(66s));
  CHECK(window.used() == 110);
  window.advance(at(71s));
  CHECK(window.used() == 100);
  window.advance(at(81s));
  CHECK(window.used() == 0);
}

TEST_CASE("a negative charge takes back what was added with the same moment") {
  SlidingWindow window(60s);
  window.advance(at(0s));
  window.add(at(0s), 40);
  window.add(at(30s), 2);
  window.add(at(0s), -40);
  CHECK(window.used() == 2);
  CHECK(window.freed(1) == window.freed(2));
  CHECK(window.next_leave() == window.freed(1));
  window.advance(at(61s));
  CHECK(window.used() == 2);
}

TEST_CASE("what has already left is neither added nor taken back") {
  SlidingWindow window(60s);
  window.advance(at(0s));
  window.add(at(0s), 7);
  window.advance(at(61s));
  CHECK(window.used() == 0);
  window.add(at(0s), -7);
  window.add(at(0s), 3);
  CHECK(window.used() == 0);
}

TEST_CASE("freed says when enough has left, and nothing if there is not so much") {
  SlidingWindow window(60s);
  window.advance(at(0s));
  window.add(at(1s), 1);
  window.add(at(2s), 1);
  window.add(at(3s), 1);
  CHECK(window.freed(1) < window.freed(2));
  CHECK(window.freed(2) < window.freed(3));
  CHECK_FALSE(window.freed(4));
}

TEST_CASE("an empty window has nothing to leave") {
  SlidingWindow window(60s);
  CHECK(window.used() == 0);
  CHECK_FALSE(window.freed(1));
  CHECK_FALSE(window.next_leave());
  window.add(at(0s), 0);
  CHECK_FALSE(window.next_leave());
}

TEST_CASE("time that goes back changes nothing") {
  SlidingWindow window(60s);
  window.advance(at(100s));
  window.add(at(100s), 1);
  window.advance(at(0s));
  CHECK(window.used() == 1);
  window.add(at(30s), 1);  // left at 90 s, which has been
  CHECK(window.used() == 1);
}

TEST_CASE("a far jump of time empties the window at once") {
  SlidingWindow window(60s);
  for (int i = 0; i < 250; ++i) {
    window.advance(at(i * 200ms));
    window.add(at(i * 200ms), 1);
  }
  CHECK(window.used() == 250);
  window.advance(at(24h * 365 * 200));
  CHECK(window.used() == 0);
  window.add(at(24h * 365 * 200), 1);
  CHECK(window.used() == 1);
}

TEST_CASE("memory does not grow with the number of charges") {
  // 512 buckets of 16 bytes are live or await their removal; a vector doubles.
  constexpr std::size_t kBound = 16'384 + 64;
  for (const Micros between : {Micros(3), Micros(600), Micros(250'000)}) {
    CAPTURE(between.count());
    SlidingWindow window(60s);
    SteadyTime now = at(0s);
    allocations::forget();
    for (int i = 0; i < 1'000'000; ++i, now += between) {
      window.advance(now);
      // Settled late and out of order, as calls are.
      window.add(now + 250ms - Micros(i * 7919LL % 40'000'000), 1);
    }
    CHECK(allocations::biggest() <= kBound);
    CHECK(window.used() > 0);
  }
}

}  // namespace
}  // namespace weir::quota
