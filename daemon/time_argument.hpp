// Points in time as people write them on a command line.
#pragma once

#include <optional>
#include <string_view>

#include "time/instant.hpp"

namespace weir::daemon {

// RFC 3339, a date alone (its midnight UTC), "now", or how long ago: "24h", "7d", "90m". nullopt if it is
// anything else.
std::optional<WallTime> parse_time_argument(std::string_view text, WallTime now);

}  // namespace weir::daemon
