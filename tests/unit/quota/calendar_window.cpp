#include "quota/calendar_window.hpp"

#include <doctest/doctest.h>

#include "desk.hpp"

namespace weir::quota {
namespace {

CalendarWindow window_in(const char* zone, CalendarUnit unit = CalendarUnit::day) {
  return {Zone::find(zone).value(), unit};
}

TEST_CASE("a day holds what was added on it, and the next begins empty") {
  CalendarWindow window = window_in("America/Los_Angeles");
  window.advance(kNoon);
  window.add(kNoon, kNoon, 5);
  CHECK(window.used() == 5);
  window.advance(window.current().end - Micros(1));
  CHECK(window.used() == 5);
  window.advance(window.current().end);
  CHECK(window.used() == 0);
}

TEST_CASE("a charge counts in every day that it may have touched") {
  CalendarWindow window = window_in("America/Los_Angeles");
  window.advance(kNoon);
  const WallTime midnight = window.current().end;
  window.add(midnight - 1s, midnight, 1);
  window.add(midnight - 1s, midnight - Micros(1), 10);
  CHECK(window.used() == 11);
  CHECK(window.used(midnight - 1s, midnight) == 11);
  CHECK(window.used(midnight, midnight) == 1);
  window.advance(midnight);
  CHECK(window.used() == 1);
  CHECK(window.used(midnight - Micros(1), midnight) == 11);
}

TEST_CASE("a negative charge takes its parts back from both days, also on the day after") {
  CalendarWindow window = window_in("America/Los_Angeles");
  window.advance(kNoon);
  const WallTime midnight = window.current().end;
  window.add(midnight - 1s, midnight + 1s, 7);
  window.advance(midnight + 5s);
  window.add(midnight - 1s, midnight + 1s, -7);
  CHECK(window.used() == 0);
  CHECK(window.used(midnight - 1s, midnight) == 0);
}

TEST_CASE("a charge with a span of many days counts today") {
  CalendarWindow window = window_in("America/Los_Angeles");
  window.advance(kNoon);
  window.add(kNoon - 24h * 900, kNoon, 3);
  CHECK(window.used() == 3);
}

TEST_CASE("a charge of days ago does not count today") {
  CalendarWindow window = window_in("America/Los_Angeles");
  window.advance(kNoon);
  window.add(kNoon - 72h, kNoon - 71h, 3);
  CHECK(window.used() == 0);
}

TEST_CASE("a clock that steps days away and back finds what it had counted") {
  for (const Micros step :
       {Micros(24h), Micros(-24h), Micros(24h * 10), Micros(-24h * 365), Micros(24h * 36'500)}) {
    CAPTURE(step.count());
    CalendarWindow window = window_in("America/Los_Angeles");
    window.advance(kNoon);
    window.add(kNoon, kNoon, 20);
    for (int i = 0; i < 3; ++i) {
      window.advance(kNoon + step);
      CHECK(window.used() == i);
      window.add(kNoon + step, kNoon + step, 1);
      window.advance(kNoon);
      CHECK(window.used() == 20);
    }
  }
}

TEST_CASE("a call of today that is settled while the clock is days ahead still counts today") {
  for (const Micros ahead : {Micros(24h), Micros(48h), Micros(24h * 400)}) {
    CAPTURE(ahead.count());
    CalendarWindow window = window_in("America/Los_Angeles");
    window.advance(kNoon);
    window.add(kNoon, kNoon, 1);
    window.advance(kNoon + ahead);
    window.add(kNoon, kNoon + 1s, 1);
    window.advance(kNoon);
    CHECK(window.used() == 2);
  }
}

TEST_CASE("on the days that daylight saving begins and ends a day has 23 and 25 hours") {
  struct {
    WallTime begin, end;
  } const days[] = {{utc(2026, 3, 8, 8h), utc(2026, 3, 9, 7h)}, {utc(2026, 11, 1, 7h), utc(2026, 11, 2, 8h)}};
  for (const auto& day : days) {
    CalendarWindow window = window_in("America/Los_Angeles");
    for (WallTime at = day.begin; at < day.end; at += 15min) {
      window.advance(at);
      window.add(at, at, 1);
      CHECK(window.current().begin == day.begin);
      CHECK(window.current().end == day.end);
    }
    CHECK(window.used() == (day.end - day.begin) / 15min);
    window.advance(day.end);
    CHECK(window.used() == 0);
  }
}

TEST_CASE("a day whose midnight the clocks jump over begins after the gap") {
  CalendarWindow window = window_in("Africa/Cairo");  // 2026-04-24 begins at 01:00 +03:00
  const WallTime begin = utc(2026, 4, 23, 22h);
  window.advance(begin - Micros(1));
  window.add(begin - 1s, begin - Micros(1), 8);
  CHECK(window.used() == 8);
  window.advance(begin);
  CHECK(window.used() == 0);
  CHECK(window.current().begin == begin);
  CHECK(window.current().end == begin + 23h);
  window.add(begin - Micros(1), begin, 1);
  CHECK(window.used(begin - 1s, begin) == 9);
}

TEST_CASE("a day whose midnight comes twice begins at the first") {
  CalendarWindow window = window_in("America/Havana");  // 2026-11-01: 01:00 -04:00 becomes 00:00 -05:00
  const WallTime begin = utc(2026, 11, 1, 4h);
  window.advance(begin);
  window.add(begin, begin, 4);
  window.advance(begin + 1h);
  CHECK(window.used() == 4);
  CHECK(window.current().end == begin + 25h);
}

TEST_CASE("a week begins on Monday and a month on its first day, in the zone") {
  CalendarWindow week = window_in("America/Los_Angeles", CalendarUnit::week);
  week.advance(utc(2026, 11, 4, 12h));
  CHECK(week.current().begin == utc(2026, 11, 2, 8h));
  CHECK(week.current().end == utc(2026, 11, 9, 8h));
  CalendarWindow month = window_in("America/Los_Angeles", CalendarUnit::month);
  month.advance(utc(2026, 11, 4, 12h));
  CHECK(month.current().begin == utc(2026, 11, 1, 7h));  // still daylight saving
  CHECK(month.current().end == utc(2026, 12, 1, 8h));
  month.add(utc(2026, 11, 4, 12h), utc(2026, 11, 4, 12h), 6);
  month.advance(utc(2026, 12, 1, 8h) - Micros(1));
  CHECK(month.used() == 6);
  month.advance(utc(2026, 12, 1, 8h));
  CHECK(month.used() == 0);
}

}  // namespace
}  // namespace weir::quota
