#include "quota/limit.hpp"

#include <string>

#include <doctest/doctest.h>

namespace weir::quota {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a limit's name is its models, its metric and its window") {
  CHECK(limit_name({"gemini-2.5-flash"}, Metric::requests, {WindowKind::day, {}}) ==
        "gemini-2.5-flash/requests/day");
  CHECK(limit_name({"a", "b-*"}, Metric::input_tokens, {WindowKind::sliding, 60s}) ==
        "a,b-*/input_tokens/60s");
  CHECK(limit_name({"m"}, Metric::cost_usd, {WindowKind::sliding, 10min}) == "m/cost_usd/10m");
}

TEST_CASE("an in-flight limit's name has no window") {
  CHECK(limit_name({"m"}, Metric::in_flight, {WindowKind::in_flight, {}}) == "m/in_flight");
}

TEST_CASE("every window reads back from its text") {
  const Window windows[] = {
      {WindowKind::day, {}},        {WindowKind::week, {}},       {WindowKind::month, {}},
      {WindowKind::in_flight, {}},  {WindowKind::sliding, 1s},    {WindowKind::sliding, 60s},
      {WindowKind::sliding, 10min}, {WindowKind::sliding, 24h},   {WindowKind::sliding, 90s},
      {WindowKind::sliding, 744h},  {WindowKind::sliding, 1500ms}};
  for (const Window& window : windows) {
    CAPTURE(to_string(window));
    CHECK(parse_window(to_string(window)) == window);
  }
  CHECK(to_string(Window{WindowKind::sliding, 60s}) == "60s");
  CHECK(to_string(Window{WindowKind::month, {}}) == "month");
}

TEST_CASE("a sliding window is between a second and 31 days long") {
  CHECK(parse_window("1s"));
  CHECK(parse_window("31d"));
  CHECK_FALSE(parse_window("999ms"));
  CHECK_FALSE(parse_window("0s"));
  CHECK_FALSE(parse_window("745h"));
}

TEST_CASE("a text that is no window is refused") {
  for (const char* text : {"", "minute", "Day", "day ", "60", "-60s", "in-flight", "1w", "60s60s"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_window(text));
  }
}

TEST_CASE("sources have names") {
  CHECK(to_string(Source::catalog) == "catalog");
  CHECK(to_string(Source::config) == "config");
  CHECK(to_string(Source::observed) == "observed");
}

TEST_CASE("a pattern without wildcards matches only itself") {
  CHECK(glob_match("gemini-2.5-flash", "gemini-2.5-flash"));
  CHECK_FALSE(glob_match("gemini-2.5-flash", "gemini-2.5-flash-lite"));
  CHECK_FALSE(glob_match("gemini-2.5-flash", "gemini-2.5-flas"));
  CHECK_FALSE(glob_match("gemini-2.5-flash", "Gemini-2.5-flash"));
  CHECK_FALSE(glob_match("gemini-2.5", "gemini-2x5"));
  CHECK(glob_match("", ""));
  CHECK_FALSE(glob_match("", "a"));
}

TEST_CASE("a star matches any run, also none and one with stars in it") {
  CHECK(glob_match("*", ""));
  CHECK(glob_match("*", "anything"));
  CHECK(glob_match("gemini-*", "gemini-"));
  CHECK(glob_match("*-flash", "gemini-2.5-flash"));
  CHECK(glob_match("gemini-*-flash*", "gemini-2.5-flash-lite"));
  CHECK_FALSE(glob_match("gemini-*-flash", "gemini-2.5-flash-lite"));
  CHECK(glob_match("*a*b", "aXbXaXb"));
  CHECK(glob_match("**a", "a"));
  CHECK(glob_match("a*", "a*b"));
  CHECK_FALSE(glob_match("*a", ""));
}

TEST_CASE("a question mark matches exactly one character") {
  CHECK(glob_match("gemini-?.5", "gemini-2.5"));
  CHECK_FALSE(glob_match("gemini-?.5", "gemini-.5"));
  CHECK_FALSE(glob_match("?", ""));
  CHECK(glob_match("?*", "ab"));
  CHECK(glob_match("*?", "a"));
  CHECK(glob_match("a?", "a?"));
}

TEST_CASE("a pattern made to be slow is not") {
  // Exponential for a matcher that recurses at each star: this test would not end.
  std::string pattern;
  for (int i = 0; i < 40; ++i) pattern += "a*";
  CHECK_FALSE(glob_match(pattern + "b", std::string(4000, 'a')));
  CHECK(glob_match(pattern, std::string(4000, 'a')));
}

}  // namespace
}  // namespace weir::quota
