#include "quota/pace.hpp"

#include <doctest/doctest.h>

#include "desk.hpp"

namespace weir::quota {
namespace {

const SteadyTime kStart = SteadyTime(1'000h);
const Window kDay{WindowKind::day, {}};

// Evenly spread use, looked at every `step`.
void use(Pace& pace, SteadyTime from, Micros time, std::int64_t& taken, std::int64_t per_step, Micros step) {
  for (SteadyTime at = from + step; at <= from + time; at += step) pace.sample(at, taken += per_step);
}

TEST_CASE("a pace is unknown until a third of its memory was watched") {
  CHECK(pace_memory(kDay) == 30min);
  CHECK(pace_memory({WindowKind::sliding, 60s}) == 5min);
  CHECK(pace_memory({WindowKind::sliding, 10min}) == 10min);
  CHECK(pace_memory({WindowKind::sliding, 24h}) == 30min);
  const Pace day(pace_memory(kDay), kStart, 0);
  CHECK_FALSE(day.per_hour(kStart, 0));
  CHECK_FALSE(day.per_hour(kStart + 10min - 1s, 5));
  CHECK(day.per_hour(kStart + 10min, 5).value() == doctest::Approx(30));
  const Pace minute(5min, kStart, 0);
  CHECK_FALSE(minute.per_hour(kStart + 99s, 5));
  CHECK(minute.per_hour(kStart + 100s, 5).value() == doctest::Approx(180));
}

TEST_CASE("steady use is its own pace, however often it is looked at") {
  for (const Micros step : {Micros(1s), Micros(60s), Micros(20min)}) {
    CAPTURE(seconds(step));
    Pace pace(30min, kStart, 1'000);
    std::int64_t taken = 1'000;
    use(pace, kStart, 3h, taken, step / 1s, step);
    CHECK(pace.per_hour(kStart + 3h, taken).value() == doctest::Approx(3600));
  }
}

TEST_CASE("the example in the header holds: a burst is forgotten by and by") {
  Pace pace(30min, kStart, 0);
  pace.sample(kStart + 30min, 0);
  pace.sample(kStart + 31min, 10);
  CHECK(pace.per_hour(kStart + 31min, 10).value() == doctest::Approx(30.5).epsilon(0.01));
  CHECK(pace.per_hour(kStart + 61min, 10).value() == doctest::Approx(8.3).epsilon(0.01));
  CHECK(pace.per_hour(kStart + 8h, 10).value() < 0.01);
}

TEST_CASE("looking at a pace does not change it") {
  Pace pace(30min, kStart, 0);
  std::int64_t taken = 0;
  use(pace, kStart, 1h, taken, 1, 1min);
  const auto before = pace.per_hour(kStart + 70min, taken);
  CHECK(pace.per_hour(kStart + 70min, taken) == before);
}

TEST_CASE("what is given back lowers the pace, never below nothing") {
  Pace pace(30min, kStart, 0);
  pace.sample(kStart + 20min, 5'000);  // estimated
  pace.sample(kStart + 21min, 100);    // used
  CHECK(pace.per_hour(kStart + 21min, 100).value() < 1'000);
  CHECK(pace.per_hour(kStart + 22min, -9'000).value() == 0);
}

TEST_CASE("a clock that stands still or goes back changes nothing") {
  Pace pace(30min, kStart, 0);
  pace.sample(kStart + 20min, 20);
  pace.sample(kStart + 20min, 40);
  pace.sample(kStart + 10min, 60);
  CHECK(pace.per_hour(kStart + 20min, 20).value() == doctest::Approx(60));
}

TEST_CASE("the book counts what our calls take, and not what they do not") {
  Desk desk;
  const LimitId day = desk.calendar(WindowKind::day, 100);
  const LimitId minute = desk.sliding(Metric::input_tokens, 60s, 10'000);
  const std::vector<LimitId> both{day, minute};
  CHECK(desk.book.taken(day) == 0);

  const Span span = desk.at_once();
  CHECK(desk.hold(both, tokens(500)));
  CHECK(desk.book.taken(minute) == 500);
  desk.settle(both, tokens(500), tokens(80), span);
  CHECK(desk.book.taken(day) == 1);
  CHECK(desk.book.taken(minute) == 80);

  CHECK(desk.hold(both, tokens(500)));
  desk.book.release(both, tokens(500));
  CHECK(desk.book.taken(day) == 1);
  CHECK(desk.book.taken(minute) == 80);

  desk.pass(48h);  // windows pass, what was taken stays
  CHECK(desk.book.view(day, desk.now).used == 0);
  CHECK(desk.book.taken(day) == 1);

  desk.book.charge_elsewhere(day, 7, desk.at_once(), desk.now);
  CHECK(desk.book.taken(day) == 1);
  const Span long_ago{desk.now.steady - 30h, desk.now.steady - 30h, desk.skew()};
  desk.book.charge(both, tokens(9), long_ago, desk.now);
  CHECK(desk.book.taken(day) == 1);
}

}  // namespace
}  // namespace weir::quota
