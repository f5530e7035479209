#include "time/rfc3339.hpp"

#include <chrono>
#include <random>
#include <string>

#include <doctest/doctest.h>

using weir::Micros;
using weir::parse_rfc3339;
using weir::to_rfc3339;
using weir::WallTime;
using namespace std::chrono_literals;

namespace {

WallTime utc(int year, unsigned month, unsigned day, Micros in_day = Micros(0)) {
  return std::chrono::sys_days(std::chrono::year(year) / static_cast<int>(month) / static_cast<int>(day)) +
         in_day;
}

}  // namespace

TEST_CASE("instants are written in UTC with milliseconds, rounded down") {
  CHECK(to_rfc3339(utc(2026, 11, 23, 8h)) == "2026-11-23T08:00:00.000Z");
  CHECK(to_rfc3339(utc(2026, 11, 23, 8h + 999'999us)) == "2026-11-23T08:00:00.999Z");
  CHECK(to_rfc3339(utc(2024, 2, 29, 23h + 59min + 59s)) == "2024-02-29T23:59:59.000Z");
  CHECK(to_rfc3339(WallTime(Micros(-1))) == "1969-12-31T23:59:59.999Z");
  CHECK(to_rfc3339(utc(1, 1, 1)) == "0001-01-01T00:00:00.000Z");
  CHECK(to_rfc3339(utc(9999, 12, 31)) == "9999-12-31T00:00:00.000Z");
}

TEST_CASE("writing into a buffer takes 24 bytes and no more") {
  char text[25];
  text[24] = '#';
  CHECK(weir::write_rfc3339(text, utc(2026, 11, 23)) == text + 24);
  CHECK(text[24] == '#');
}

TEST_CASE("every form that RFC 3339 allows is read") {
  const WallTime eight = utc(2026, 11, 23, 8h);
  for (const char* text :
       {"2026-11-23T08:00:00Z", "2026-11-23t08:00:00z", "2026-11-23 08:00:00Z", "2026-11-23T00:00:00-08:00",
        "2026-11-23T17:00:00.0+09:00", "2026-11-23T13:45:00+05:45", "2026-11-22T08:01:00-23:59"}) {
    CAPTURE(text);
    CHECK(parse_rfc3339(text) == eight);
  }
  CHECK(parse_rfc3339("2026-11-23") == utc(2026, 11, 23));
  CHECK(parse_rfc3339("2026-11-23T08:00:00.5Z") == eight + 500ms);
  CHECK(parse_rfc3339("2026-11-23T08:00:00.123456Z") == eight + 123'456us);
  CHECK(parse_rfc3339("2026-11-23T08:00:00.123456999Z") == eight + 123'456us);
  CHECK(parse_rfc3339("2016-12-31T23:59:60Z") == utc(2017, 1, 1));  // a leap second
  CHECK(parse_rfc3339("1969-12-31T23:59:59.5Z") == utc(1970, 1, 1) - 500ms);
}

TEST_CASE("anything else is refused") {
  for (const char* text : {"",
                           "2026",
                           "2026-11",
                           "2026-11-2",
                           "26-11-23",
                           "2026-13-01",
                           "2026-00-10",
                           "2026-02-29",
                           "2026-04-31",
                           "2026-11-00",
                           "2026-11-23T",
                           "2026-11-23T08",
                           "2026-11-23T08:00",
                           "2026-11-23T08:00Z",
                           "2026-11-23T08:00:00",
                           "2026-11-23T24:00:00Z",
                           "2026-11-23T08:60:00Z",
                           "2026-11-23T08:00:61Z",
                           "2026-11-23T08:00:00.Z",
                           "2026-11-23T08:00:00+0900",
                           "2026-11-23T08:00:00+09",
                           "2026-11-23T08:00:00+24:00",
                           "2026-11-23T08:00:00+09:60",
                           "2026-11-23T08:00:00ZZ",
                           "2026-11-23T08:00:00 Z",
                           " 2026-11-23",
                           "2026-11-23 ",
                           "2026-11-23Z",
                           "+026-11-23",
                           "2026-1a-23",
                           "20261123",
                           "1795420800",
                           "yesterday",
                           "2026-11-23T-8:00:00Z",
                           "2026-11-23T08:00:00,5Z",
                           "\xD9\xA2\xD9\xA0-11-23"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_rfc3339(text).has_value());
  }
  CHECK_FALSE(parse_rfc3339(std::string_view("2026-11-23\0", 11)).has_value());
}

TEST_CASE("every whole millisecond of the years 0000 to 9999 reads back as it was written") {
  std::mt19937_64 random(20261122);
  const std::int64_t first = utc(0, 1, 1).time_since_epoch() / 1ms;
  const std::int64_t last = utc(9999, 12, 31).time_since_epoch() / 1ms;
  std::uniform_int_distribution<std::int64_t> any(first, last);
  for (int i = 0; i < 20'000; ++i) {
    const WallTime at{std::chrono::milliseconds(any(random))};
    REQUIRE(parse_rfc3339(to_rfc3339(at)) == at);
  }
}

TEST_CASE("no cut or changed text is read as something that it is not") {
  std::mt19937_64 random(7);
  const std::string good = "2026-11-23T08:15:30.250+05:30";
  for (int i = 0; i < 20'000; ++i) {
    std::string text = good;
    text[random() % text.size()] = static_cast<char>(random());
    const auto read = parse_rfc3339(text);
    if (!read) continue;
    // What was read is within what one changed character of such a text can mean.
    CHECK(*read > utc(0, 1, 1) - 24h);
    CHECK(*read < utc(9999, 12, 31) + 48h);
  }
  for (std::size_t length = 0; length < good.size(); ++length) {
    CAPTURE(length);
    CHECK(parse_rfc3339(good.substr(0, length)).has_value() == (length == 10));
  }
}
