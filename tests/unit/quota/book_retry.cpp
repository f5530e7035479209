#include <algorithm>

#include <doctest/doctest.h>

#include "desk.hpp"

namespace weir::quota {
namespace {

SteadyTime retry_at(const Desk& desk) {
  SteadyTime latest{};
  for (const Violation& v : desk.violations) latest = std::max(latest, v.retry_at);
  return latest;
}

// At the moment named the call goes through, a microsecond earlier it does not.
void check_exact(Desk desk, const std::vector<LimitId>& limits, const Amounts& want = {}) {
  REQUIRE_FALSE(desk.hold(limits, want));
  const SteadyTime at = retry_at(desk);
  CHECK(at > desk.now.steady);
  desk.go_to(at - Micros(1));
  CHECK_FALSE(desk.hold(limits, want));
  CHECK(retry_at(desk) == at);
  desk.go_to(at);
  CHECK(desk.hold(limits, want));
}

TEST_CASE("the worked example of the book holds") {
  Desk desk;
  const LimitId minute = desk.sliding(Metric::requests, 60s, 5);
  const SteadyTime start = desk.now.steady;
  for (int i = 0; i < 5; ++i) REQUIRE(desk.hold({minute}));
  desk.pass(2s);
  for (int i = 0; i < 5; ++i) {
    desk.settle({minute}, {}, {}, {start, start + 100ms + kGuard, desk.skew()});
  }
  desk.go_to(start + 30s);
  REQUIRE_FALSE(desk.hold({minute}));
  CHECK(retry_at(desk) >= start + 60s + 350ms);
  CHECK(retry_at(desk) < start + 60s + 350ms + kMinuteBucket);
  check_exact(desk, {minute});
}

TEST_CASE("a sliding limit says when exactly enough has left") {
  Desk desk;
  const LimitId input = desk.sliding(Metric::input_tokens, 60s, 1000);
  for (int i = 0; i < 10; ++i) {
    REQUIRE(desk.call({input}, tokens(100)));
    desk.pass(3s);
  }
  for (const std::int64_t want : {1, 100, 101, 500, 999, 1000}) {
    CAPTURE(want);
    check_exact(desk, {input}, tokens(want));
  }
}

TEST_CASE("a charge above the estimate delays the retry until the excess has left too") {
  Desk desk;
  const LimitId input = desk.sliding(Metric::input_tokens, 60s, 1000);
  REQUIRE(desk.hold({input}, tokens(10)));
  desk.settle({input}, tokens(10), tokens(3000), desk.at_once());
  desk.pass(30s);
  desk.book.charge(std::vector<LimitId>{input}, tokens(1000), desk.at_once(), desk.now);
  check_exact(desk, {input}, tokens(1));
}

TEST_CASE("what is held can be free one window after now at the earliest") {
  Desk desk;
  const LimitId minute = desk.sliding(Metric::requests, 60s, 1);
  REQUIRE(desk.hold({minute}));
  desk.pass(5s);
  REQUIRE_FALSE(desk.hold({minute}));
  const SteadyTime at = retry_at(desk);
  CHECK(at >= desk.now.steady + 60s + kGuard);
  CHECK(at <= desk.now.steady + 60s + kGuard + kMinuteBucket);
  desk.settle({minute}, {}, {}, desk.at_once());
  REQUIRE_FALSE(desk.hold({minute}));
  desk.go_to(at);
  desk.pass(kMinuteBucket);
  CHECK(desk.hold({minute}));
}

TEST_CASE("used charges are counted on before held ones") {
  Desk desk;
  const LimitId minute = desk.sliding(Metric::requests, 60s, 2);
  REQUIRE(desk.call({minute}));
  desk.pass(10s);
  REQUIRE(desk.hold({minute}));
  check_exact(desk, {minute});
}

TEST_CASE("a day limit opens at its midnight, when upstream's clock must have passed it too") {
  for (const WindowKind kind : {WindowKind::day, WindowKind::week, WindowKind::month}) {
    Desk desk;
    const LimitId id = desk.calendar(kind, 3);
    REQUIRE(desk.calls_until_denied({id}) == 3);
    const auto unit = kind == WindowKind::day    ? CalendarUnit::day
                      : kind == WindowKind::week ? CalendarUnit::week
                                                 : CalendarUnit::month;
    const WallTime end = Zone::find("America/Los_Angeles")->interval(unit, desk.now.wall).end;
    CHECK(desk.now.wall_at(retry_at(desk)) == end + kGuard);
    CHECK(desk.book.view(id, desk.now).resets_at == end);
    check_exact(desk, {id});
  }
}

TEST_CASE("just after midnight a full yesterday delays only for the guard") {
  const WallTime midnight = utc(2026, 11, 24, 8h);
  Desk desk(midnight - 1h);
  const LimitId day = desk.calendar(WindowKind::day, 3);
  REQUIRE(desk.calls_until_denied({day}) == 3);
  desk.go_to(midnight + 100ms);
  REQUIRE_FALSE(desk.hold({day}));
  CHECK(desk.now.wall_at(retry_at(desk)) == midnight + kGuard);
  check_exact(desk, {day});
}

TEST_CASE("charges that count on both sides of midnight may fill tomorrow: the retry is then a day later") {
  const WallTime midnight = utc(2026, 11, 24, 8h);
  Desk desk(midnight - 100ms);
  const LimitId day = desk.calendar(WindowKind::day, 3);
  REQUIRE(desk.calls_until_denied({day}) == 3);
  REQUIRE_FALSE(desk.hold({day}));
  CHECK(desk.now.wall_at(retry_at(desk)) == midnight + 24h + kGuard);
  check_exact(desk, {day});
}

TEST_CASE("each violated limit says its own time, and the last one is when the call goes through") {
  Desk desk;
  const LimitId minute = desk.sliding(Metric::requests, 60s, 2);
  const LimitId hour = desk.sliding(Metric::input_tokens, 1h, 100);
  const LimitId day = desk.calendar(WindowKind::day, 100);
  REQUIRE(desk.call({minute, hour, day}, tokens(50)));
  REQUIRE(desk.call({minute, hour, day}, tokens(50)));
  REQUIRE_FALSE(desk.hold({minute, hour, day}, tokens(1)));
  REQUIRE(desk.violations.size() == 2);
  CHECK(desk.violations[0].retry_at < desk.violations[1].retry_at);
  check_exact(desk, {minute, hour, day}, tokens(1));
}

TEST_CASE("a sliding limit resets when its oldest charge leaves") {
  Desk desk;
  const LimitId minute = desk.sliding(Metric::requests, 60s, 5);
  CHECK_FALSE(desk.book.view(minute, desk.now).resets_at);
  REQUIRE(desk.call({minute}));
  const SteadyTime first = desk.now.steady;
  desk.pass(10s);
  REQUIRE(desk.call({minute}));
  const auto resets_at = desk.book.view(minute, desk.now).resets_at;
  REQUIRE(resets_at);
  CHECK(*resets_at >= desk.now.wall_at(first + kGuard + 60s));
  CHECK(*resets_at < desk.now.wall_at(first + kGuard + 60s + kMinuteBucket));
}

}  // namespace
}  // namespace weir::quota
