#include <set>
#include <sstream>

#include <doctest/doctest.h>

#include "daemon/text/usage.hpp"

namespace weir::daemon {
namespace {

using nlohmann::json;

const Look kAscii{0, false, false};

json row(const char* bucket, const char* model, int calls, int errors, int input, int cached, int output,
         double cost) {
  return {{"bucket_start", bucket == nullptr ? json() : json(bucket)},
          {"project", ""},
          {"model", model},
          {"consumer", nullptr},
          {"calls", calls},
          {"errors", errors},
          {"denied", 0},
          {"expired", 0},
          {"input_tokens", input},
          {"cached_input_tokens", cached},
          {"output_tokens", output},
          {"thoughts_tokens", 0},
          {"tool_use_tokens", 0},
          {"total_tokens", input + output},
          {"cost_usd", cost}};
}

}  // namespace

TEST_CASE("usage is a row for each group and their sum, without columns that hold nothing") {
  const json usage = {{"rows",
                       {row(nullptr, "gemini-2.5-flash", 1200, 3, 1'500'000, 250'000, 80'000, 1.25),
                        row(nullptr, "gemini-2.5-pro", 7, 0, 9'000, 0, 1'234, 0.0042)}}};
  CHECK(render_usage(usage, kAscii) ==
        "MODEL             CALLS  ERRORS  DENIED  INPUT  CACHED  OUTPUT  TOTAL     COST\n"
        "gemini-2.5-flash   1200       3       0   1.5M    250k     80k  1.58M    $1.25\n"
        "gemini-2.5-pro        7       0       0     9k       0   1.23k  10.2k  $0.0042\n"
        "all                1207       3       0  1.51M    250k   81.2k  1.59M    $1.25\n");
}

TEST_CASE("buckets show where they begin") {
  const json usage = {{"rows", {row("2026-11-22T08:00:00.000Z", "m", 1, 0, 10, 0, 5, 0)}}};
  CHECK(render_usage(usage, kAscii) ==
        "FROM (UTC)        MODEL  CALLS  ERRORS  DENIED  INPUT  OUTPUT  TOTAL  COST\n"
        "2026-11-22 08:00  m          1       0       0     10       5     15    $0\n");
}

TEST_CASE("no line is wider than the terminal, and long names stay apart") {
  json rows = json::array();
  for (const char* model :
       {"gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-2.5-flash-preview-tts-09-2025"}) {
    for (const char* bucket : {"2026-11-21T08:00:00.000Z", "2026-11-22T08:00:00.000Z"}) {
      json r = row(bucket, model, 391, 10, 241'000, 30'800, 116'000, 0.515968);
      r["project"] = "team";
      r["consumer"] = "nightly-batch-of-the-search-index";
      r["thoughts_tokens"] = 65'200;
      r["denied"] = 223;
      r["expired"] = 3;
      rows.push_back(r);
    }
  }
  for (const std::size_t width : {200U, 120U, 100U, 80U, 60U}) {
    CAPTURE(width);
    std::vector<std::string> lines;
    std::istringstream text(render_usage({{"rows", rows}}, Look{width, false, true}));
    for (std::string line; std::getline(text, line);) {
      CAPTURE(line);
      CHECK(display_width(line) <= width);
      lines.push_back(line);
    }
    REQUIRE(lines.size() == 8);
    CHECK(lines[7].starts_with("all "));
    CHECK(lines[7].ends_with("$3.10"));
    if (width >= 80) CHECK(std::set(lines.begin(), lines.end()).size() == 8);
  }
}

TEST_CASE("at 80 columns the parts go before the totals, and names are cut in the middle") {
  json r = row(nullptr, "gemini-2.5-flash-preview-tts-09-2025", 391, 10, 241'000, 30'800, 116'000, 0.515968);
  r["project"] = "default";
  r["consumer"] = "nightly-batch";
  CHECK(render_usage({{"rows", json::array({r})}}, Look{80, false, true}) ==
        "PROJECT  MODEL             CONSUMER       CALLS  INPUT  OUTPUT  TOTAL       COST\n"
        "default  gemin…ts-09-2025  nightly-batch    391   241k    116k   357k  $0.515968\n");
}

TEST_CASE("a period without use says so") {
  CHECK(render_usage({{"rows", json::array()}}, kAscii) == "nothing used in this period\n");
}

}  // namespace weir::daemon
