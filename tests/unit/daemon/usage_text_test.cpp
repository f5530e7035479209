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

TEST_CASE("a period without use says so") {
  CHECK(render_usage({{"rows", json::array()}}, kAscii) == "nothing used in this period\n");
}

}  // namespace weir::daemon
