#include "telemetry/log.hpp"

#include <doctest/doctest.h>
#include <spdlog/spdlog.h>

using weir::telemetry::log_line;
using weir::telemetry::set_up_log;

TEST_CASE("a message is one line, whatever it holds") {
  CHECK(log_line("info", "listening") == "listening");
  CHECK(log_line("warning", "a\nerror: forged") == "warning: a\\nerror: forged");
  CHECK(log_line("error", "\x1b[31mred\x7f\r") == "error: \\x1b[31mred\\x7f\\x0d");
  CHECK(log_line("info", "tab\tand \xC3\xA9 stay") == "tab\tand \xC3\xA9 stay");
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
