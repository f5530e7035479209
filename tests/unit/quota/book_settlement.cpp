#include <doctest/doctest.h>

#include "desk.hpp"

namespace weir::quota {
namespace {

TEST_CASE("an open call is held, a settled one is used") {
  Desk desk;
  const LimitId minute = desk.sliding(Metric::requests, 60s, 5);
  const LimitId day = desk.calendar(WindowKind::day, 5);
  REQUIRE(desk.hold({minute, day}));
  for (const LimitId id : {minute, day}) {
    const LimitView view = desk.book.view(id, desk.now);
    CHECK(view.held == 1);
    CHECK(view.used == 0);
    CHECK(view.remaining == 4);
  }
  desk.settle({minute, day}, {}, {}, desk.at_once());
  for (const LimitId id : {minute, day}) {
    const LimitView view = desk.book.view(id, desk.now);
    CHECK(view.held == 0);
    CHECK(view.used == 1);
    CHECK(view.remaining == 4);
  }
}

TEST_CASE("what is held does not age") {
  Desk desk;
  const LimitId minute = desk.sliding(Metric::requests, 60s, 1);
  REQUIRE(desk.hold({minute}));
  desk.pass(24h);
  CHECK_FALSE(desk.hold({minute}));
  desk.settle({minute}, {}, {}, desk.at_once());
  CHECK_FALSE(desk.hold({minute}));
  desk.pass(61s);
  CHECK(desk.hold({minute}));
}

TEST_CASE("a charge ages from the latest moment of its call, not from the admission or the settlement") {
  Desk desk;
  const LimitId minute = desk.sliding(Metric::requests, 60s, 1);
  const SteadyTime start = desk.now.steady;
  REQUIRE(desk.hold({minute}));
  desk.pass(20s);
  desk.settle({minute}, {}, {}, {start, start + 10s + kGuard, desk.skew()});
  desk.go_to(start + 10s + kGuard + 60s - Micros(1));
  CHECK_FALSE(desk.hold({minute}));
  desk.pass(kMinuteBucket);
  CHECK(desk.hold({minute}));
}

TEST_CASE("a call settled more than a window after it was sent is free at once") {
  Desk desk;
  const LimitId minute = desk.sliding(Metric::requests, 60s, 1);
  REQUIRE(desk.hold({minute}));
  const Span span = desk.at_once();
  desk.pass(90s);
  CHECK_FALSE(desk.hold({minute}));
  desk.settle({minute}, {}, {}, span);
  CHECK(desk.used(minute) == 0);
  CHECK(desk.hold({minute}));
}

TEST_CASE("a settlement below the estimate gives the rest back") {
  Desk desk;
  const LimitId input = desk.sliding(Metric::input_tokens, 60s, 1000);
  REQUIRE(desk.hold({input}, tokens(1000)));
  CHECK_FALSE(desk.hold({input}, tokens(1)));
  desk.settle({input}, tokens(1000), tokens(400), desk.at_once());
  CHECK_FALSE(desk.hold({input}, tokens(601)));
  CHECK(desk.hold({input}, tokens(600)));
}

TEST_CASE("a settlement above the estimate stays charged") {
  Desk desk;
  const LimitId input = desk.sliding(Metric::input_tokens, 60s, 1000);
  const LimitId day = desk.add(Metric::input_tokens, {WindowKind::day, {}}, 3000, "UTC", true);
  REQUIRE(desk.hold({input, day}, tokens(100)));
  desk.settle({input, day}, tokens(100), tokens(2500), desk.at_once());
  CHECK(desk.used(input) == 2500);
  CHECK(desk.book.view(input, desk.now).remaining == 0);
  CHECK_FALSE(desk.hold({input, day}, tokens(1)));
  desk.pass(61s);
  CHECK_FALSE(desk.hold({input, day}, tokens(501)));
  CHECK(desk.hold({input, day}, tokens(500)));
}

TEST_CASE("a released call leaves no trace") {
  Desk desk;
  const LimitId minute = desk.sliding(Metric::requests, 60s, 1);
  const LimitId day = desk.calendar(WindowKind::day, 1);
  const LimitId input = desk.sliding(Metric::input_tokens, 60s, 100);
  REQUIRE(desk.hold({minute, day, input}, tokens(100)));
  desk.book.release(std::vector<LimitId>{minute, day, input}, tokens(100));
  for (const LimitId id : {minute, day, input}) {
    CHECK(desk.used(id) == 0);
    CHECK(desk.held(id) == 0);
  }
  CHECK(desk.hold({minute, day, input}, tokens(100)));
}

TEST_CASE("an expired call keeps its charge") {
  Desk desk;
  const LimitId minute = desk.sliding(Metric::requests, 60s, 1);
  REQUIRE(desk.hold({minute}));
  const SteadyTime admitted = desk.now.steady;
  desk.pass(120s);
  desk.settle({minute}, {}, {}, {admitted, desk.now.steady + kGuard, desk.skew()});
  CHECK_FALSE(desk.hold({minute}));
  desk.pass(60s);
  CHECK_FALSE(desk.hold({minute}));
  desk.pass(kGuard + kMinuteBucket);
  CHECK(desk.hold({minute}));
}

TEST_CASE("a late settlement replaces the charge of an expired call") {
  Desk desk;
  const LimitId input = desk.sliding(Metric::input_tokens, 60s, 1000);
  const LimitId day = desk.add(Metric::input_tokens, {WindowKind::day, {}}, 1000, "UTC", true);
  const std::vector<LimitId> both = {input, day};
  REQUIRE(desk.hold(both, tokens(800)));
  const SteadyTime admitted = desk.now.steady;
  desk.pass(20s);
  const Span assumed{admitted, desk.now.steady + kGuard, desk.skew()};
  desk.settle(both, tokens(800), tokens(800), assumed);
  desk.pass(10s);
  const Span true_span{admitted, admitted + 1s + kGuard, desk.skew()};
  Amounts back = Amounts{.requests = 0} - tokens(800);
  desk.book.charge(both, back, assumed, desk.now);
  CHECK(desk.used(input) == 0);
  CHECK(desk.used(day) == 0);
  desk.book.charge(both, tokens(300), true_span, desk.now);
  CHECK(desk.used(input) == 300);
  CHECK(desk.used(day) == 300);
  desk.go_to(admitted + 1s + kGuard + 60s + kMinuteBucket);
  CHECK(desk.used(input) == 0);
  CHECK(desk.used(day) == 300);
}

TEST_CASE("a late correction after the charge has left frees nothing twice") {
  Desk desk;
  const LimitId minute = desk.sliding(Metric::requests, 60s, 5);
  REQUIRE(desk.call({minute}));
  const Span old = desk.at_once();
  desk.pass(70s);
  REQUIRE(desk.call({minute}));
  desk.book.charge(std::vector<LimitId>{minute}, Amounts{.requests = -1}, old, desk.now);
  CHECK(desk.used(minute) == 1);
}

TEST_CASE("a late correction over midnight takes the charge from the days that had it") {
  Desk desk(utc(2026, 11, 24, 8h) - 100ms);
  const LimitId day = desk.calendar(WindowKind::day, 3);
  REQUIRE(desk.call({day}));
  const Span span = {desk.now.steady, desk.now.steady + kGuard, desk.skew()};
  desk.pass(10s);
  CHECK(desk.used(day) == 1);  // may have been counted after midnight
  desk.book.charge(std::vector<LimitId>{day}, Amounts{.requests = -1}, span, desk.now);
  CHECK(desk.used(day) == 0);
}

TEST_CASE("a charge is taken without asking, beyond the limit") {
  Desk desk;
  const LimitId minute = desk.sliding(Metric::requests, 60s, 2);
  for (int i = 0; i < 5; ++i) desk.book.charge(std::vector<LimitId>{minute}, {}, desk.at_once(), desk.now);
  CHECK(desk.used(minute) == 5);
  CHECK_FALSE(desk.hold({minute}));
}

TEST_CASE("restoring a day's total counts on that day only, and in no other window") {
  Desk desk;
  const LimitId day = desk.calendar(WindowKind::day, 20);
  const LimitId minute = desk.sliding(Metric::requests, 60s, 20);
  const LimitId open = desk.in_flight(20);
  for (const LimitId id : {day, minute, open}) desk.book.restore(id, desk.now.wall - 1h, 18, desk.now);
  CHECK(desk.used(day) == 18);
  CHECK(desk.used(minute) == 0);
  CHECK(desk.used(open) == 0);
  CHECK(desk.calls_until_denied({day}) == 2);
}

TEST_CASE("a total restored for yesterday counts only as long as upstream may still be in yesterday") {
  const WallTime midnight = utc(2026, 11, 24, 8h);
  Desk desk(midnight + 100ms);
  const LimitId day = desk.calendar(WindowKind::day, 20);
  desk.book.restore(day, midnight - 1h, 20, desk.now);
  CHECK(desk.used(day) == 0);
  CHECK_FALSE(desk.hold({day}));
  desk.pass(kGuard);
  CHECK(desk.hold({day}));
}

TEST_CASE("a book fed with the same records again is the same") {
  const auto feed = [](Desk& desk) {
    const LimitId minute = desk.sliding(Metric::requests, 60s, 50);
    const LimitId day = desk.calendar(WindowKind::day, 500);
    for (int i = 0; i < 40; ++i) {
      desk.pass(3s);
      desk.call({minute, day});
    }
    return std::vector{desk.book.view(minute, desk.now), desk.book.view(day, desk.now)};
  };
  Desk live, rebuilt;
  CHECK(feed(live) == feed(rebuilt));
}

}  // namespace
}  // namespace weir::quota
