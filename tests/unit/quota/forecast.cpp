#include "quota/forecast.hpp"

#include <functional>
#include <utility>

#include <doctest/doctest.h>

#include "quota/pace.hpp"
#include "time/rfc3339.hpp"

#include "desk.hpp"

namespace weir::quota {
namespace {

WallTime at(std::string_view text) {
  return parse_rfc3339(text).value();
}

const Zone kPacific = *Zone::find("America/Los_Angeles");
// A plain Monday begins.
const WallTime kMonday = at("2026-11-23T08:00:00Z");

using PerHour = std::function<double(int local_hour)>;

double steady(int /*hour*/) {
  return 60;
}
double office_hours(int hour) {
  return hour >= 9 && hour < 17 ? 120 : 0;
}

// Days on which calls come as `per_hour` says, evenly within the hour, for a limit on requests a day.
struct Days {
  Days(std::int64_t amount, WallTime start, PerHour calls)
      : desk(start),
        id(desk.calendar(WindowKind::day, amount)),
        pace(30min, desk.now.steady, 0),
        per_hour(std::move(calls)),
        past({WindowKind::day, {}}, amount, kPacific, kPacific) {}

  void run_to(WallTime end) {
    while (desk.now.wall < end) {
      const int hour = kPacific.local_hour(desk.now.wall);
      due += per_hour(hour) / 60;
      for (; due >= 1; due -= 1) {
        if (desk.call({id})) {
          ++used_in_hour;
        } else if (!first_denial) {
          first_denial = desk.now.wall;
        }
      }
      desk.pass(1min);
      pace.sample(desk.now.steady, desk.book.taken(id));
      if (desk.now.wall.time_since_epoch() % 1h == 0min)
        past.add(desk.now.wall - 1h, std::exchange(used_in_hour, 0));
    }
  }
  Forecast forecast(bool with_history) {
    const Habit none;
    return quota::forecast(desk.book.spec(id), desk.book.view(id, desk.now),
                           pace.per_hour(desk.now.steady, desk.book.taken(id)),
                           with_history ? past.habit() : none, kPacific, desk.now.wall);
  }

  Desk desk;
  LimitId id;
  Pace pace;
  PerHour per_hour;
  PastHours past;
  double due = 0;
  std::int64_t used_in_hour = 0;
  std::optional<WallTime> first_denial;
};

LimitSpec spec_of(std::string_view window, std::int64_t amount) {
  LimitSpec spec;
  spec.window = *parse_window(window);
  spec.amount = amount;
  return spec;
}

LimitView view_of(std::int64_t amount, std::int64_t used, std::optional<WallTime> resets_at = {}) {
  return {.amount = amount,
          .used = used,
          .remaining = std::max<std::int64_t>(0, amount - used),
          .resets_at = resets_at,
          .exhausted_until = {}};
}

void check_near(const std::optional<WallTime>& forecast, const std::optional<WallTime>& actual,
                Micros within) {
  REQUIRE(forecast);
  REQUIRE(actual);
  CAPTURE(to_rfc3339(*forecast));
  CAPTURE(to_rfc3339(*actual));
  CHECK(*forecast - *actual <= within);
  CHECK(*actual - *forecast <= within);
}

TEST_CASE("a steady day: what is forecast in the morning comes true in the afternoon") {
  Days days(900, kMonday, steady);  // 60 an hour: gone after 15 hours
  for (const Micros seen : {Micros(10min), Micros(1h), Micros(8h), Micros(14h)}) {
    CAPTURE(seconds(seen));
    days.run_to(kMonday + seen);
    const Forecast forecast = days.forecast(false);
    CHECK(forecast.outlook == Outlook::runs_out);
    CHECK(forecast.pace_per_hour.value() == doctest::Approx(60).epsilon(0.01));
    check_near(forecast.exhausts_at, kMonday + 15h, 10min);
  }
  days.run_to(kMonday + 15h + 5min);
  check_near(days.first_denial, kMonday + 15h, 5min);
  const Forecast forecast = days.forecast(false);
  CHECK(forecast.outlook == Outlook::exhausted);
  CHECK(forecast.exhausts_at == days.desk.now.wall);
}

TEST_CASE("a steady day that uses less than the limit lasts") {
  Days days(1500, kMonday, steady);
  days.run_to(kMonday + 3h);
  const Forecast forecast = days.forecast(false);
  CHECK(forecast.outlook == Outlook::lasts);
  CHECK_FALSE(forecast.exhausts_at);
}

TEST_CASE("the first minutes of the first day are unknown") {
  Days days(900, kMonday, steady);
  CHECK(days.forecast(true).outlook == Outlook::unknown);
  days.run_to(kMonday + 9min);
  const Forecast forecast = days.forecast(true);
  CHECK(forecast.outlook == Outlook::unknown);
  CHECK_FALSE(forecast.pace_per_hour);
  CHECK_FALSE(forecast.exhausts_at);
  days.run_to(kMonday + 10min);
  CHECK(days.forecast(true).outlook == Outlook::runs_out);
}

TEST_CASE("a night's pause is known once there are days to know it from") {
  // 960 calls in eight hours, of 1200 a day.
  Days days(1200, kMonday, office_hours);
  days.run_to(kMonday + 14h);
  CHECK(days.forecast(false).outlook == Outlook::runs_out);
  CHECK(days.forecast(true).outlook ==
        Outlook::runs_out);  // a day without history cannot know of its evening
  days.run_to(kMonday + 3 * 24h + 14h);
  CHECK(days.forecast(false).outlook == Outlook::runs_out);
  CHECK(days.forecast(true).outlook == Outlook::lasts);
}

TEST_CASE("history tells in the night what the morning will bring") {
  Days days(600, kMonday, office_hours);  // gone at 14:00 every day
  days.run_to(kMonday + 3 * 24h + 6h);
  days.first_denial.reset();
  CHECK(days.forecast(false).outlook == Outlook::lasts);  // nothing is used now
  const Forecast forecast = days.forecast(true);
  CHECK(forecast.outlook == Outlook::runs_out);
  days.run_to(kMonday + 3 * 24h + 17h);
  check_near(forecast.exhausts_at, days.first_denial, 15min);
}

TEST_CASE("hours after a limit was used up count like the last one before") {
  PastHours past({WindowKind::day, {}}, 100, kPacific, kPacific);
  const std::array<std::int64_t, 6> used = {10, 60, 30, 0, 0, 0};  // used up in the third hour
  for (int hour = 0; hour < 24; ++hour)
    past.add(kMonday + hour * 1h, hour < 6 ? used[static_cast<std::size_t>(hour)] : 0);
  CHECK(past.habit().at(1) == 60);
  CHECK(past.habit().at(2) == 60);
  CHECK(past.habit().at(3) == 60);
  CHECK(past.habit().at(23) == 60);
  past.add(kMonday + 24h, 10);  // a new day
  past.add(kMonday + 25h, 20);
  CHECK(past.habit().at(0) == 10);
  CHECK(past.habit().at(1) == 40);
  PastHours minute({WindowKind::sliding, 60s}, 5, kPacific, kPacific);
  minute.add(kMonday, 80);
  minute.add(kMonday + 1h, 0);
  CHECK(minute.habit().at(1) == 0);
}

TEST_CASE("more than usual now is believed for some hours, not for the whole day") {
  const auto quiet = [](int /*hour*/) { return 6.0; };
  Days days(400, kMonday, quiet);
  days.run_to(kMonday + 2 * 24h + 8h);
  CHECK(days.forecast(true).outlook == Outlook::lasts);
  days.per_hour = [](int /*hour*/) { return 120.0; };
  days.run_to(kMonday + 2 * 24h + 9h);
  const Forecast forecast = days.forecast(true);
  CHECK(*forecast.pace_per_hour > 90);
  CHECK(forecast.outlook ==
        Outlook::lasts);  // 168 used; a hundred an hour that halves each hour adds some 150
  days.run_to(kMonday + 2 * 24h + 10h);
  CHECK(days.forecast(true).outlook == Outlook::runs_out);
}

TEST_CASE("a burst runs out at first, and no more when it is over") {
  Days days(100, kMonday, [](int /*hour*/) { return 0.0; });
  days.run_to(kMonday + 1h);
  for (int i = 0; i < 40; ++i) days.desk.call({days.id});
  days.run_to(kMonday + 1h + 2min);
  CHECK(days.forecast(false).outlook == Outlook::runs_out);
  days.run_to(kMonday + 6h);
  CHECK(days.forecast(false).outlook == Outlook::lasts);
}

TEST_CASE("a day with nothing used lasts, once it was watched") {
  Days days(20, kMonday, [](int /*hour*/) { return 0.0; });
  CHECK(days.forecast(false).outlook == Outlook::unknown);
  days.run_to(kMonday + 10min);
  const Forecast forecast = days.forecast(false);
  CHECK(forecast.outlook == Outlook::lasts);
  CHECK(forecast.pace_per_hour == 0);
}

TEST_CASE("a day of 25 hours runs out where one of 24 lasts, and one of 23 lasts too") {
  const auto on = [](std::string_view midnight) {
    Days days(1470, at(midnight), steady);  // enough for 24 h 30 min
    days.run_to(at(midnight) + 12h);
    return days.forecast(false);
  };
  const Forecast long_day = on("2026-11-01T07:00:00Z");
  CHECK(long_day.outlook == Outlook::runs_out);
  check_near(long_day.exhausts_at, at("2026-11-02T07:30:00Z"), 5min);
  CHECK(on("2026-11-23T08:00:00Z").outlook == Outlook::lasts);
  CHECK(on("2026-03-08T08:00:00Z").outlook == Outlook::lasts);
}

TEST_CASE("the same hours of past days are those of the local clock, also when it was changed in between") {
  Habit nine_o_clock;
  for (int hour = 0; hour < 24; ++hour) nine_o_clock.add(hour, hour == 9 ? 100 : 0);
  // Half past midnight on the day on which the clocks go back: nine o'clock is 17:00 UTC.
  const WallTime now = at("2026-11-01T07:30:00Z");
  const Forecast back = forecast(spec_of("day", 50), view_of(50, 0, at("2026-11-02T08:00:00Z")), 0,
                                 nine_o_clock, kPacific, now);
  check_near(back.exhausts_at, at("2026-11-01T17:30:00Z"), 1min);
  // The day before it was 16:00 UTC.
  const Forecast before = forecast(spec_of("day", 50), view_of(50, 0, at("2026-11-01T07:00:00Z")), 0,
                                   nine_o_clock, kPacific, at("2026-10-31T07:30:00Z"));
  check_near(before.exhausts_at, at("2026-10-31T16:30:00Z"), 1min);
}

TEST_CASE("the example in the header holds") {
  const WallTime noon = at("2026-11-23T20:00:00Z");
  const LimitView view = view_of(20, 16, at("2026-11-24T08:00:00Z"));
  const Forecast first_day = forecast(spec_of("day", 20), view, 2, {}, kPacific, noon);
  CHECK(first_day.outlook == Outlook::runs_out);
  CHECK(first_day.exhausts_at == at("2026-11-23T22:00:00Z"));
  Habit idle;
  for (int hour = 0; hour < 24; ++hour) idle.add(hour, 0);
  CHECK(forecast(spec_of("day", 20), view, 2, idle, kPacific, noon).outlook == Outlook::lasts);
  const LimitView less = view_of(20, 18, view.resets_at);  // 2.8 more are expected
  CHECK(forecast(spec_of("day", 20), less, 2, idle, kPacific, noon).outlook == Outlook::runs_out);
}

TEST_CASE("history alone is enough, but every hour until the answer must have been seen") {
  const LimitView view = view_of(20, 0, kMonday + 24h);
  Habit two_hours;
  two_hours.add(0, 0);
  two_hours.add(1, 40);
  const Forecast known = forecast(spec_of("day", 20), view, {}, two_hours, kPacific, kMonday);
  CHECK(known.outlook == Outlook::runs_out);
  CHECK(known.exhausts_at == kMonday + 90min);
  CHECK_FALSE(known.pace_per_hour);
  const LimitView more = view_of(50, 0, kMonday + 24h);
  CHECK(forecast(spec_of("day", 50), more, {}, two_hours, kPacific, kMonday).outlook == Outlook::unknown);
}

TEST_CASE("a steady pace uses up a sliding limit only if a whole window of it is more than the limit") {
  const auto minute = [](std::int64_t used, double pace) {
    return forecast(spec_of("60s", 10), view_of(10, used, kMonday + 5s), pace, {}, kPacific, kMonday);
  };
  CHECK(minute(0, 599).outlook == Outlook::lasts);
  CHECK(minute(9, 599).outlook == Outlook::lasts);
  CHECK(minute(0, 601).outlook == Outlook::runs_out);
  CHECK(minute(0, 1200).exhausts_at == kMonday + 30s);
  const Forecast near = minute(9, 1200);  // nine leave in the minute in which twenty come
  CHECK(near.outlook == Outlook::runs_out);
  check_near(near.exhausts_at, kMonday + 5454ms, 10ms);
  CHECK(minute(10, 0).outlook == Outlook::exhausted);
}

TEST_CASE("what upstream says is used up is exhausted, and so is a limit of nothing") {
  LimitView view = view_of(20, 3, kMonday + 24h);
  view.exhausted_until = kMonday + 3h;
  CHECK(forecast(spec_of("day", 20), view, 1, {}, kPacific, kMonday).outlook == Outlook::exhausted);
  const Forecast nothing =
      forecast(spec_of("day", 0), view_of(0, 0, kMonday + 24h), {}, {}, kPacific, kMonday);
  CHECK(nothing.outlook == Outlook::exhausted);
  CHECK_FALSE(nothing.exhausts_at);  // there never was a moment: no alert
}

TEST_CASE("limits on calls in flight have no forecast") {
  const Forecast none = forecast(spec_of("in_flight", 2), view_of(2, 2), {}, {}, kPacific, kMonday);
  CHECK(none.outlook == Outlook::none);
  CHECK_FALSE(none.exhausts_at);
  CHECK_FALSE(none.pace_per_hour);
}

TEST_CASE("a month is looked through to its end") {
  const WallTime first = at("2026-12-01T08:00:00Z");
  const WallTime end = at("2027-01-01T08:00:00Z");
  const Forecast runs_out =
      forecast(spec_of("month", 7'400), view_of(7'400, 0, end), 10, {}, kPacific, first);
  check_near(runs_out.exhausts_at, first + 740h, 1min);
  CHECK(forecast(spec_of("month", 7'500), view_of(7'500, 0, end), 10, {}, kPacific, first).outlook ==
        Outlook::lasts);
}

}  // namespace
}  // namespace weir::quota
