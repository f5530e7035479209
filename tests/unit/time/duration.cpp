#include "time/duration.hpp"

#include <array>
#include <random>
#include <string>

#include <doctest/doctest.h>

using weir::Micros;
using weir::parse_duration;
using namespace std::chrono_literals;

TEST_CASE("durations are read as people and providers write them") {
  CHECK(parse_duration("60s") == 60s);
  CHECK(parse_duration("10m") == 10min);
  CHECK(parse_duration("1h") == 1h);
  CHECK(parse_duration("1d") == 24h);
  CHECK(parse_duration("0s") == 0s);
  CHECK(parse_duration("120ms") == 120ms);
  CHECK(parse_duration("15us") == 15us);
  CHECK(parse_duration("1.5h") == 90min);
  CHECK(parse_duration("36s") == 36s);
  // As in upstream answers.
  CHECK(parse_duration("23h57m10.78s") == 23h + 57min + 10'780ms);
  CHECK(parse_duration("7m55.9s") == 7min + 55'900ms);
  CHECK(parse_duration("3h46.55s") == 3h + 46'550ms);
  CHECK(parse_duration("900.2ms") == 900'200us);
  CHECK(parse_duration("51820.638305887s") == 51'820'638'306us);
  CHECK(parse_duration("0.539477544s") == 539'478us);
  CHECK(parse_duration("14h45m30s") == 14h + 45min + 30s);
  CHECK(parse_duration("2m59.56s") == 2min + 59'560ms);
  CHECK(parse_duration("9h9m9.9s") == 9h + 9min + 9'900ms);
}

TEST_CASE("anything else is no duration") {
  for (const char* text : {"",      "s",
                           "60",    "60 s",
                           " 60s",  "60s ",
                           "-1s",   "+1s",
                           "1s1m",  "1s1s",
                           "1m1h",  "1.2.3s",
                           ".5s",   "1e3s",
                           "0x10s", "infs",
                           "nans",  "1w",
                           "1S",    "1h30",
                           "401d",  "99999999999999999999999999s",
                           "1,5s",  "s60"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text).has_value());
  }
  CHECK_FALSE(parse_duration(std::string(500, '9') + "s").has_value());
  CHECK(parse_duration("400d").has_value());
}

TEST_CASE("durations are written in the unit that people use for them") {
  CHECK(weir::to_string(60s) == "60s");
  CHECK(weir::to_string(90s) == "90s");
  CHECK(weir::to_string(2min) == "2m");
  CHECK(weir::to_string(10min) == "10m");
  CHECK(weir::to_string(1h) == "1h");
  CHECK(weir::to_string(36h) == "36h");
  CHECK(weir::to_string(0s) == "0s");
  CHECK(weir::to_string(1500ms) == "1500ms");
  CHECK(weir::to_string(15us) == "15us");
}

TEST_CASE("a written duration reads back the same") {
  std::mt19937_64 random(3);
  constexpr Micros kLongest = 24h * 400;
  for (int i = 0; i < 20'000; ++i) {
    const Micros unit = std::array<Micros, 5>{1us, 1ms, 1s, 1min, 1h}[random() % 5];
    const Micros duration =
        unit * static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(kLongest / unit));
    REQUIRE(parse_duration(weir::to_string(duration)) == duration);
  }
}
