#include <doctest/doctest.h>

#include "desk.hpp"

namespace weir::quota {
namespace {

TEST_CASE("an exhausted limit refuses until the time it was told, whatever is left") {
  for (const bool day : {false, true}) {
    CAPTURE(day);
    Desk desk;
    const LimitId id = day ? desk.calendar(WindowKind::day, 20) : desk.sliding(Metric::requests, 60s, 20);
    REQUIRE(desk.call({id}));
    const WallTime until = desk.now.wall + 30min;
    desk.book.exhaust(id, until, desk.now);
    CHECK_FALSE(desk.hold({id}));
    CHECK(desk.violations[0].exhausted);
    CHECK_FALSE(desk.violations[0].never_fits);
    CHECK(desk.now.wall_at(desk.violations[0].retry_at) == until);
    const LimitView view = desk.book.view(id, desk.now);
    CHECK(view.remaining == 0);
    CHECK(view.exhausted_until == until);
    desk.go_to(until - Micros(1));
    CHECK_FALSE(desk.hold({id}));
    desk.go_to(until);
    CHECK(desk.hold({id}));
    CHECK_FALSE(desk.book.view(id, desk.now).exhausted_until);
  }
}

TEST_CASE("a reopened limit admits again, within what is left") {
  for (const bool day : {false, true}) {
    Desk desk;
    const LimitId id = day ? desk.calendar(WindowKind::day, 5) : desk.sliding(Metric::requests, 60s, 5);
    REQUIRE(desk.call({id}));
    desk.book.exhaust(id, desk.now.wall + 1h, desk.now);
    REQUIRE_FALSE(desk.hold({id}));
    desk.book.reopen(id);
    CHECK_FALSE(desk.book.view(id, desk.now).exhausted_until);
    CHECK(desk.calls_until_denied({id}) == 4);
  }
}

TEST_CASE("a limit that is both full and exhausted opens at the later time") {
  Desk desk;
  const LimitId minute = desk.sliding(Metric::requests, 60s, 1);
  REQUIRE(desk.call({minute}));
  desk.book.exhaust(minute, desk.now.wall + 10s, desk.now);
  REQUIRE_FALSE(desk.hold({minute}));
  CHECK(desk.violations[0].retry_at >= desk.now.steady + 60s);
  desk.book.exhaust(minute, desk.now.wall + 1h, desk.now);
  REQUIRE_FALSE(desk.hold({minute}));
  CHECK(desk.violations[0].retry_at == desk.now.steady + 1h);
}

TEST_CASE("an exhausted limit denies the call and leaves its other limits alone") {
  Desk desk;
  const LimitId minute = desk.sliding(Metric::requests, 60s, 5);
  const LimitId day = desk.calendar(WindowKind::day, 5);
  desk.book.exhaust(day, desk.now.wall + 1h, desk.now);
  CHECK_FALSE(desk.hold({minute, day}));
  REQUIRE(desk.violations.size() == 1);
  CHECK(desk.violations[0].limit == day);
  CHECK(desk.held(minute) == 0);
  CHECK(desk.hold({minute}));
}

TEST_CASE("open calls of an exhausted limit are settled as ever") {
  Desk desk;
  const LimitId day = desk.calendar(WindowKind::day, 5);
  REQUIRE(desk.hold({day}));
  desk.book.exhaust(day, desk.now.wall + 1h, desk.now);
  desk.settle({day}, {}, {}, desk.at_once());
  CHECK(desk.used(day) == 1);
  CHECK(desk.held(day) == 0);
}

TEST_CASE("a wall clock that steps leaves an exhausted minute as long as it was") {
  Desk desk;
  const LimitId minute = desk.sliding(Metric::requests, 60s, 5);
  desk.book.exhaust(minute, desk.now.wall + 30s, desk.now);
  desk.step_wall_clock(1h);
  CHECK_FALSE(desk.hold({minute}));
  CHECK(desk.violations[0].retry_at == desk.now.steady + 30s);
  desk.step_wall_clock(-2h);
  CHECK_FALSE(desk.hold({minute}));
  desk.pass(30s);
  CHECK(desk.hold({minute}));
}

TEST_CASE("an exhausted day ends when the wall clock says so") {
  Desk desk;
  const LimitId day = desk.calendar(WindowKind::day, 5);
  desk.book.exhaust(day, desk.now.wall + 2h, desk.now);
  desk.step_wall_clock(1h);
  REQUIRE_FALSE(desk.hold({day}));
  CHECK(desk.violations[0].retry_at == desk.now.steady + 1h);
}

TEST_CASE("an in-flight limit can be exhausted too") {
  Desk desk;
  const LimitId open = desk.in_flight(5);
  desk.book.exhaust(open, desk.now.wall + 10s, desk.now);
  CHECK_FALSE(desk.hold({open}));
  CHECK(desk.violations[0].retry_at == desk.now.steady + 10s);
  desk.pass(10s);
  CHECK(desk.hold({open}));
}

}  // namespace
}  // namespace weir::quota
