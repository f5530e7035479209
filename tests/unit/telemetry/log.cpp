#include "telemetry/log.hpp"

#include <doctest/doctest.h>
#include <spdlog/spdlog.h>

using weir::telemetry::log_line;
using weir::telemetry::set_up_log;

TEST_CASE("a message is one line, whatever it holds") {
  CHECK(log_line("info", "listening") == "listening");
  CHECK(log_line("warning", "a\nerror: forged") == "warning: a\\nerror: forged");
  CHECK(log_line("error", "\x1b[31mred\x7f\r") == "error: \\x1b[31mred\\x7f\\x0d");
  CHECK(log_line("error",
                 "\xC2\x9B"
                 "31mred\xE2\x80\xA8") == "error: \\xc2\\x9b31mred\\xe2\\x80\\xa8");
  CHECK(log_line("info", "\xC3\xA9 stays") == "\xC3\xA9 stays");
}

TEST_CASE("the level comes from its name and an unknown one changes nothing") {
  CHECK(set_up_log("debug"));
  CHECK(spdlog::default_logger()->level() == spdlog::level::debug);
  CHECK(set_up_log("warning"));
  CHECK(spdlog::default_logger()->level() == spdlog::level::warn);
  CHECK_FALSE(set_up_log("loud"));
  CHECK_FALSE(set_up_log(""));
  CHECK(spdlog::default_logger()->level() == spdlog::level::warn);
  CHECK(set_up_log("off"));
  CHECK(spdlog::default_logger()->level() == spdlog::level::off);
}
