// Durations as people and providers write them.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "time/instant.hpp"

namespace weir {

// "60s", "10m", "1h", "900.2ms", "23h57m10.78s", "3h46.55s": one or more number-unit pairs (d, h, m, s, ms,
// us), largest unit first, a fraction allowed in any; rounded to microseconds. nullopt if it is anything
// else, negative, or above 400 days.
std::optional<Micros> parse_duration(std::string_view text);

// The shortest text that reads back the same: "60s", "10m", "1h", "90s". Whole hours in h, more than one
// whole minute in m, the rest in s; parts of a second in ms.
std::string to_string(Micros duration);

}  // namespace weir
