// RFC 3339 text of wall-clock instants.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "time/instant.hpp"

namespace weir {

// "2026-11-23T08:00:00.000Z": UTC, always milliseconds (rounded down), 24 bytes. Years 0000 to 9999.
std::string to_rfc3339(WallTime at);

// The same 24 bytes into `out`, without allocation; returns one past the last byte written.
char* write_rfc3339(char* out, WallTime at);

// Any RFC 3339 date-time ("Z", "z" or an offset, any number of fraction digits, kept to microseconds), or a
// date alone, read as its midnight UTC. nullopt if it is anything else.
std::optional<WallTime> parse_rfc3339(std::string_view text);

}  // namespace weir
