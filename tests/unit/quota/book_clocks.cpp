#include <doctest/doctest.h>

#include "desk.hpp"

namespace weir::quota {
namespace {

const WallTime kMidnight = utc(2026, 11, 24, 8h);

TEST_CASE("a wall clock that steps neither frees nor locks a sliding limit") {
  for (const Micros step : {Micros(1h), Micros(-1h), Micros(24h * 400), Micros(-24h * 400)}) {
    CAPTURE(step.count());
    Desk desk;
    const LimitId minute = desk.sliding(Metric::requests, 60s, 5);
    REQUIRE(desk.calls_until_denied({minute}) == 5);
    const SteadyTime before = desk.violations[0].retry_at;
    desk.step_wall_clock(step);
    CHECK_FALSE(desk.hold({minute}));
    CHECK(desk.violations[0].retry_at == before);
    desk.go_to(before);
    CHECK(desk.calls_until_denied({minute}) == 5);
  }
}

TEST_CASE("a wall clock that steps within the day neither frees nor locks it") {
  for (const Micros step : {Micros(1h), Micros(-1h)}) {
    CAPTURE(step.count());
    Desk desk;
    const LimitId day = desk.calendar(WindowKind::day, 5);
    REQUIRE(desk.call({day}));
    REQUIRE(desk.hold({day}));
    const SteadyTime admitted = desk.now.steady;
    const Micros skew = desk.skew();
    desk.step_wall_clock(step);
    desk.settle({day}, {}, {}, {admitted, desk.now.steady + kGuard, skew});
    CHECK(desk.used(day) == 2);
    CHECK(desk.calls_until_denied({day}) == 3);
    CHECK(desk.now.wall_at(desk.violations[0].retry_at) == kMidnight + kGuard);
  }
}

TEST_CASE("a wall clock that steps over midnight and back finds the day as it was") {
  for (const Micros step : {Micros(1h), Micros(25h), Micros(-24h)}) {
    CAPTURE(step.count());
    Desk desk(kMidnight - 30min);
    const LimitId day = desk.calendar(WindowKind::day, 5);
    REQUIRE(desk.calls_until_denied({day}) == 5);
    desk.step_wall_clock(step);
    desk.call({day});
    desk.step_wall_clock(-step);
    CHECK(desk.used(day) == 5);
    CHECK_FALSE(desk.hold({day}));
    desk.go_to(kMidnight + kGuard);
    CHECK(desk.hold({day}));  // and the day after is not locked
  }
}

TEST_CASE(
    "a call belongs to the day on which the clock stood at its admission, though it steps before the "
    "settlement") {
  Desk desk(kMidnight - 30min);
  const LimitId day = desk.calendar(WindowKind::day, 5);
  REQUIRE(desk.hold({day}));
  const SteadyTime admitted = desk.now.steady;
  const Micros skew = desk.skew();
  desk.step_wall_clock(1h);
  desk.settle({day}, {}, {}, {admitted, desk.now.steady + kGuard, skew});
  CHECK(desk.used(day) == 0);
  desk.step_wall_clock(-1h);
  CHECK(desk.used(day) == 1);
}

TEST_CASE("a call settled while the clock is days ahead is not lost when it comes back") {
  Desk desk;
  const LimitId day = desk.calendar(WindowKind::day, 5);
  REQUIRE(desk.hold({day}));
  const SteadyTime admitted = desk.now.steady;
  const Micros skew = desk.skew();
  desk.step_wall_clock(24h * 30);
  desk.pass(1s);
  desk.settle({day}, {}, {}, {admitted, desk.now.steady + kGuard, skew});
  desk.step_wall_clock(-24h * 30);
  CHECK(desk.used(day) == 1);
}

TEST_CASE("near midnight a charge counts on both days") {
  const Micros guard = kGuard;
  struct {
    Micros before_midnight;
    std::int64_t tomorrow;
  } const cases[] = {{1s, 0}, {2 * guard + Micros(1), 0}, {2 * guard, 1}, {guard, 1}, {Micros(1), 1}};
  for (const auto& c : cases) {
    CAPTURE(c.before_midnight.count());
    Desk desk(kMidnight - c.before_midnight);
    const LimitId day = desk.calendar(WindowKind::day, 5);
    REQUIRE(desk.call({day}));  // counted by upstream until a guard later, on a clock that is a guard ahead
    CHECK(desk.used(day) == 1);
    desk.go_to(kMidnight + 1s);
    CHECK(desk.used(day) == c.tomorrow);
  }
}

TEST_CASE("just after midnight a charge counts on the day before as well") {
  Desk desk(kMidnight + 100ms);
  const LimitId day = desk.calendar(WindowKind::day, 5);
  desk.book.restore(day, kMidnight - 1h, 3, desk.now);
  CHECK(desk.calls_until_denied({day}) == 2);
  desk.go_to(kMidnight + kGuard);
  CHECK(desk.calls_until_denied({day}) == 3);
}

TEST_CASE("a call of yesterday that is settled just after midnight still counts yesterday") {
  Desk desk(kMidnight - 1h);
  const LimitId day = desk.calendar(WindowKind::day, 1);
  REQUIRE(desk.hold({day}));
  const SteadyTime admitted = desk.now.steady;
  desk.go_to(kMidnight + 100ms);
  desk.settle({day}, {}, {}, {admitted, admitted + 1s + kGuard, desk.skew()});
  CHECK(desk.used(day) == 0);
  REQUIRE_FALSE(desk.hold({day}));  // upstream's clock may still show yesterday
  CHECK(desk.now.wall_at(desk.violations[0].retry_at) == kMidnight + kGuard);
  desk.go_to(kMidnight + kGuard);
  CHECK(desk.hold({day}));
}

TEST_CASE("a call that is open over midnight counts on both days") {
  Desk desk(kMidnight - 10s);
  const LimitId day = desk.calendar(WindowKind::day, 2);
  REQUIRE(desk.hold({day}));
  const SteadyTime admitted = desk.now.steady;
  REQUIRE(desk.call({day}));
  desk.go_to(kMidnight + 20s);
  CHECK(desk.calls_until_denied({day}) == 1);
  desk.settle({day}, {}, {}, {admitted, desk.now.steady + kGuard, desk.skew()});
  CHECK(desk.used(day) == 2);
  CHECK_FALSE(desk.hold({day}));
}

TEST_CASE("a call that was sent before midnight is given back to the new day when that is known") {
  Desk desk(kMidnight - 10s);
  const LimitId day = desk.calendar(WindowKind::day, 1);
  REQUIRE(desk.hold({day}));
  const SteadyTime admitted = desk.now.steady;
  desk.go_to(kMidnight + 20s);
  CHECK_FALSE(desk.hold({day}));
  desk.settle({day}, {}, {}, {admitted, admitted + 1s + kGuard, desk.skew()});
  CHECK(desk.hold({day}));
}

TEST_CASE("a day limit holds through the 23 and 25 hours of the days on which the clocks change") {
  struct {
    WallTime begin;
    Micros length;
  } const days[] = {{utc(2026, 3, 8, 8h), 23h}, {utc(2026, 11, 1, 7h), 25h}};
  for (const auto& d : days) {
    Desk desk(d.begin + 1s);
    const LimitId day = desk.calendar(WindowKind::day, 20);
    REQUIRE(desk.calls_until_denied({day}) == 20);
    CHECK(desk.now.wall_at(desk.violations[0].retry_at) == d.begin + d.length + kGuard);
    for (Micros at = 10min; at < d.length; at += 10min) {
      desk.go_to(d.begin + at);
      CHECK_FALSE(desk.hold({day}));
    }
    desk.go_to(d.begin + d.length + kGuard - Micros(1));
    CHECK_FALSE(desk.hold({day}));
    desk.pass(Micros(1));
    CHECK(desk.calls_until_denied({day}) == 20);
  }
}

TEST_CASE("a day limit works in zones whose midnights are missing or come twice") {
  for (const char* zone :
       {"Africa/Cairo", "America/Havana", "Asia/Beirut", "Asia/Kathmandu", "Pacific/Apia"}) {
    CAPTURE(zone);
    Desk desk(utc(2026, 1, 1, 12h));
    const LimitId day = desk.calendar(WindowKind::day, 2, zone);
    // Each day of the year gives its amount once.
    for (int i = 0; i < 366; ++i) {
      REQUIRE(desk.calls_until_denied({day}) == 2);
      const Micros wait = desk.violations[0].retry_at - desk.now.steady;
      if (i > 0) {
        CHECK(wait >= 23h);
        CHECK(wait <= 25h);
      }
      desk.go_to(desk.violations[0].retry_at);
    }
    CHECK(desk.now.wall >= utc(2027, 1, 1));
    CHECK(desk.now.wall < utc(2027, 1, 3));
  }
}

TEST_CASE("a suspended machine finds its minutes over and its day as the calendar says") {
  Desk desk;
  const LimitId minute = desk.sliding(Metric::requests, 60s, 2);
  const LimitId day = desk.calendar(WindowKind::day, 5);
  REQUIRE(desk.calls_until_denied({minute, day}) == 2);
  desk.pass(8h);
  REQUIRE(desk.calls_until_denied({minute, day}) == 2);
  desk.pass(24h * 90);
  CHECK(desk.used(minute) == 0);
  CHECK(desk.used(day) == 0);
  CHECK(desk.calls_until_denied({minute, day}) == 2);
}

TEST_CASE("a week and a month hold over their days") {
  Desk desk(utc(2026, 11, 2, 8h));  // Monday
  const LimitId week = desk.calendar(WindowKind::week, 10);
  const LimitId month = desk.calendar(WindowKind::month, 45);
  int admitted = 0;
  for (int i = 0; i < 28; ++i) {
    for (int k = 0; k < 3; ++k) admitted += desk.call({week, month}) ? 1 : 0;
    desk.pass(24h);
  }
  CHECK(admitted == 40);
  desk.pass(1s);
  CHECK(desk.used(month) == 40);
  CHECK(desk.calls_until_denied({week, month}) == 5);
  CHECK(desk.violations[0].limit == month);
  desk.go_to(utc(2026, 12, 1, 8h) + kGuard);
  CHECK(desk.calls_until_denied({week, month}) == 5);
  CHECK(desk.violations[0].limit == week);
}

}  // namespace
}  // namespace weir::quota
