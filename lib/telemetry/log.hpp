// Logs: spdlog, to stderr, one line a message. Write with spdlog::info("…") and its like; no message ever
// holds a secret.
#pragma once

#include <string>
#include <string_view>

namespace weir::telemetry {

// Sets up spdlog's default logger; call once, before other threads run. `level`: trace, debug, info, warning
// (warn), error (err), critical or off. False, and nothing changed, for anything else. A line is
// "2026-11-22T10:30:06.123Z warning: text"; the time is left out where the journal adds its own
// (JOURNAL_STREAM names stderr), and "info: " is. What is not printable is shown as \n or \x1b
// (text/printable.hpp), so that a message from outside cannot forge another.
bool set_up_log(std::string_view level);

// One log line without its time, as set_up_log() makes it: "warning: disk full". For tests and for messages
// before it.
std::string log_line(std::string_view level, std::string_view message);

}  // namespace weir::telemetry
