// Numbers and times as people read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "time/instant.hpp"

namespace weir::daemon {

// Three significant digits from a thousand on: "999", "1.5k", "250k", "1.23M", "2G".
std::string human_count(std::int64_t count);

// "$0", "$0.0042", "$1.25": cents from a dollar on, else up to six decimals.
std::string human_dollars(double dollars);

// The two largest units: "45s", "2m 05s", "7h 12m", "3d 4h". Rounded up to whole seconds (whole minutes from
// an hour on), so that nobody comes too early. "now" for none or less.
std::string human_duration(Micros duration);

// An amount of a metric: tokens short, money as money, everything else exact.
std::string human_amount(std::string_view metric, double amount);

// An amount per hour, which may be a part of one: "0.4", "7.5", "120", "46.5k", "$0.25".
std::string human_rate(std::string_view metric, double per_hour);

// Fields of an answer. A field that is absent, null or of another type is "", 0 or nullopt: an older client
// shows what it knows. A text is fit for a terminal (text/printable.hpp).
std::string text_at(const nlohmann::json& object, const char* key);
double number_at(const nlohmann::json& object, const char* key);
std::int64_t count_at(const nlohmann::json& object, const char* key);
std::optional<WallTime> time_at(const nlohmann::json& object, const char* key);

}  // namespace weir::daemon
