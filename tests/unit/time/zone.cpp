#include "time/zone.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "time/rfc3339.hpp"

using weir::CalendarUnit;
using weir::WallInterval;
using weir::WallTime;
using weir::Zone;
using namespace std::chrono_literals;

namespace {

WallTime at(std::string_view text) {
  return weir::parse_rfc3339(text).value();
}

Zone zone(std::string_view name) {
  const auto found = Zone::find(name);
  REQUIRE_MESSAGE(found.has_value(), name);
  return *found;
}

struct Day {
  const char* zone;
  const char* inside;
  const char* begin;
  const char* end;
};

void check_day(const Day& day) {
  CAPTURE(day.zone);
  CAPTURE(day.inside);
  const Zone where = zone(day.zone);
  const WallInterval interval = where.interval(CalendarUnit::day, at(day.inside));
  CHECK(weir::to_rfc3339(interval.begin) == day.begin);
  CHECK(weir::to_rfc3339(interval.end) == day.end);
  // The same from both ends, and the neighbours join.
  CHECK(where.interval(CalendarUnit::day, interval.begin).end == interval.end);
  CHECK(where.interval(CalendarUnit::day, interval.end - 1us).begin == interval.begin);
  CHECK(where.interval(CalendarUnit::day, interval.begin - 1us).end == interval.begin);
  CHECK(where.interval(CalendarUnit::day, interval.end).begin == interval.end);
  CHECK(where.day_begin(where.local_day(at(day.inside))) == interval.begin);
  CHECK(where.local_day(interval.end) == where.local_day(interval.begin) + 1);
}

// How much of the random work to do: sanitizer builds set a part.
int scaled(int count) {
  const char* scale = std::getenv("WEIR_TEST_SCALE");
  return scale == nullptr ? count : std::max(1, static_cast<int>(count * std::atof(scale)));
}

const std::vector<std::string> kZones = {"America/Los_Angeles", "UTC",
                                         "Europe/Berlin",       "Asia/Tokyo",
                                         "America/Santiago",    "Africa/Cairo",
                                         "Asia/Beirut",         "America/Havana",
                                         "Australia/Lord_Howe", "Asia/Kathmandu",
                                         "Pacific/Chatham",     "America/Nuuk",
                                         "America/Asuncion",    "Asia/Gaza",
                                         "Africa/Casablanca",   "Atlantic/Azores",
                                         "Pacific/Kiritimati"};

std::int32_t days_of(const std::tm& local) {
  const std::chrono::year_month_day date(std::chrono::year(local.tm_year + 1900),
                                         std::chrono::month(static_cast<unsigned>(local.tm_mon + 1)),
                                         std::chrono::day(static_cast<unsigned>(local.tm_mday)));
  return static_cast<std::int32_t>(std::chrono::sys_days(date).time_since_epoch().count());
}

// libc's opinion of the local time; it reads the zone files with code of its own.
std::tm libc_local(WallTime instant) {
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(instant).time_since_epoch().count();
  std::tm local{};
  ::localtime_r(&seconds, &local);
  return local;
}

class LibcZone {
 public:
  explicit LibcZone(const std::string& name) {
    if (const char* before = std::getenv("TZ")) before_ = before;
    ::setenv("TZ", name.c_str(), 1);
    ::tzset();
  }
  ~LibcZone() {
    if (before_.empty()) {
      ::unsetenv("TZ");
    } else {
      ::setenv("TZ", before_.c_str(), 1);
    }
    ::tzset();
  }
  LibcZone(const LibcZone&) = delete;
  LibcZone& operator=(const LibcZone&) = delete;

 private:
  std::string before_;
};

WallTime random_instant(std::mt19937_64& random) {
  static const std::int64_t first = at("2020-01-01").time_since_epoch().count();
  static const std::int64_t last = at("2037-01-01").time_since_epoch().count();
  return WallTime(weir::Micros(std::uniform_int_distribution<std::int64_t>(first, last)(random)));
}

}  // namespace

TEST_CASE("days in Los Angeles have 24 hours, but 23 and 25 when the clocks change") {
  check_day({"America/Los_Angeles", "2026-11-22T10:00:00Z", "2026-11-22T08:00:00.000Z",
             "2026-11-23T08:00:00.000Z"});
  check_day({"America/Los_Angeles", "2026-03-08T12:00:00Z", "2026-03-08T08:00:00.000Z",
             "2026-03-09T07:00:00.000Z"});
  check_day({"America/Los_Angeles", "2026-11-01T09:30:00Z", "2026-11-01T07:00:00.000Z",
             "2026-11-02T08:00:00.000Z"});
}

TEST_CASE("where midnight does not exist the day begins after the gap") {
  check_day(
      {"America/Santiago", "2026-09-06T12:00:00Z", "2026-09-06T04:00:00.000Z", "2026-09-07T03:00:00.000Z"});
  check_day({"Africa/Cairo", "2026-04-24T12:00:00Z", "2026-04-23T22:00:00.000Z", "2026-04-24T21:00:00.000Z"});
  check_day({"Asia/Beirut", "2026-03-29T12:00:00Z", "2026-03-28T22:00:00.000Z", "2026-03-29T21:00:00.000Z"});
}

TEST_CASE("where midnight comes twice the day begins with the first") {
  check_day(
      {"America/Havana", "2026-11-01T04:30:00Z", "2026-11-01T04:00:00.000Z", "2026-11-02T05:00:00.000Z"});
  check_day(
      {"America/Havana", "2026-11-01T05:30:00Z", "2026-11-01T04:00:00.000Z", "2026-11-02T05:00:00.000Z"});
}

TEST_CASE("where the hour before midnight comes twice the day has it twice") {
  check_day(
      {"America/Santiago", "2026-04-05T03:30:00Z", "2026-04-04T03:00:00.000Z", "2026-04-05T04:00:00.000Z"});
  check_day({"Africa/Cairo", "2026-10-29T21:30:00Z", "2026-10-28T21:00:00.000Z", "2026-10-29T22:00:00.000Z"});
}

TEST_CASE("a clock set back over midnight does not bring yesterday back") {
  // St. John's, 2006-10-29: at 00:01 the clocks went back to 23:01 of the 28th. The 29th has begun all the
  // same.
  const Zone where = zone("America/St_Johns");
  const WallTime midnight = at("2006-10-29T02:30:00Z");
  for (const auto after : {0min, 1min, 30min, 60min, 61min}) {
    CAPTURE(after.count());
    CHECK(where.interval(CalendarUnit::day, midnight + after).begin == midnight);
    CHECK(where.local_day(midnight + after) == where.local_day(at("2006-10-29T12:00:00Z")));
  }
  CHECK(where.interval(CalendarUnit::day, midnight - 1us).end == midnight);
}

TEST_CASE("a date that was skipped has no time in it") {
  // Samoa crossed the date line: 2011-12-30 did not exist there.
  const Zone where = zone("Pacific/Apia");
  const WallTime crossing = at("2011-12-30T10:00:00Z");
  CHECK(where.interval(CalendarUnit::day, crossing - 1us).end == crossing);
  CHECK(where.interval(CalendarUnit::day, crossing).begin == crossing);
  CHECK(where.local_day(crossing) == where.local_day(crossing - 1us) + 2);
}

TEST_CASE("weeks begin on Monday and months on the first, both in local time") {
  const Zone pacific = zone("America/Los_Angeles");
  const WallInterval week =
      pacific.interval(CalendarUnit::week, at("2026-11-02T07:59:59Z"));  // still Sunday there
  CHECK(weir::to_rfc3339(week.begin) == "2026-10-26T07:00:00.000Z");
  CHECK(weir::to_rfc3339(week.end) == "2026-11-02T08:00:00.000Z");
  CHECK(pacific.interval(CalendarUnit::week, week.end).begin == week.end);
  const WallInterval month = pacific.interval(CalendarUnit::month, at("2026-11-22T10:00:00Z"));
  CHECK(weir::to_rfc3339(month.begin) == "2026-11-01T07:00:00.000Z");
  CHECK(weir::to_rfc3339(month.end) == "2026-12-01T08:00:00.000Z");
  const WallInterval december = zone("UTC").interval(CalendarUnit::month, at("2026-12-31T23:59:59.999Z"));
  CHECK(weir::to_rfc3339(december.end) == "2027-01-01T00:00:00.000Z");
  const WallInterval february = zone("UTC").interval(CalendarUnit::month, at("2028-02-29"));
  CHECK(february.end - february.begin == 29 * 24h);
  const WallInterval new_year =
      zone("UTC").interval(CalendarUnit::week, at("2026-01-01"));  // ISO week 2026-W01
  CHECK(weir::to_rfc3339(new_year.begin) == "2025-12-29T00:00:00.000Z");
}

TEST_CASE("zones are found by their names, old ones included, and nothing else is") {
  CHECK(Zone::find("America/Los_Angeles").has_value());
  CHECK(Zone::find("US/Pacific").has_value());
  CHECK(Zone::utc().name() == "UTC");
  for (const char* name : {"", "Mars/Olympus", "America", "America/", "../etc/passwd", "/etc/localtime",
                           "america/los_angeles", "PST", "America/Los_Angeles ", "zone.tab"}) {
    CAPTURE(std::string(name));
    CHECK_FALSE(Zone::find(name).has_value());
  }
}

TEST_CASE("days, weeks and months tile time without gap or overlap") {
  std::mt19937_64 random(11);
  for (const std::string& name : kZones) {
    const Zone where = zone(name);
    for (int i = 0; i < scaled(400); ++i) {
      const WallTime instant = random_instant(random);
      for (const CalendarUnit unit : {CalendarUnit::day, CalendarUnit::week, CalendarUnit::month}) {
        const WallInterval interval = where.interval(unit, instant);
        CAPTURE(name);
        CAPTURE(weir::to_rfc3339(instant));
        REQUIRE(interval.contains(instant));
        REQUIRE(where.interval(unit, interval.begin).begin == interval.begin);
        REQUIRE(where.interval(unit, interval.end).begin == interval.end);
        REQUIRE(where.interval(unit, interval.begin - 1us).end == interval.begin);
        REQUIRE(where.interval(unit, interval.end - 1us).end == interval.end);
      }
    }
  }
}

TEST_CASE("local dates are those of the C library") {
  std::mt19937_64 random(12);
  for (const std::string& name : kZones) {
    const Zone where = zone(name);
    const LibcZone libc(name);
    const auto agree = [&](WallTime instant) {
      CAPTURE(name);
      CAPTURE(weir::to_rfc3339(instant));
      const std::tm local = libc_local(instant);
      REQUIRE(where.local_day(instant) == days_of(local));
    };
    for (int i = 0; i < scaled(2000); ++i) agree(random_instant(random));
    // Around each local midnight of two years with all their clock changes, second by second at the border.
    for (WallTime midnight = where.interval(CalendarUnit::day, at("2026-01-01")).begin;
         midnight < at("2028-01-01"); midnight = where.interval(CalendarUnit::day, midnight).end) {
      for (const auto offset : {-3600s, -1800s, -1s, 0s, 1s, 1800s, 3599s, 3600s, 5400s})
        agree(midnight + offset);
      // The instant before belongs to another date: nothing begins late.
      REQUIRE(days_of(libc_local(midnight)) != days_of(libc_local(midnight - 1s)));
    }
  }
}
