// Amounts as answers show them, appended to a buffer by hand: this is on the way of every admission.
#pragma once

#include <cstdint>
#include <string>

#include "quota/amounts.hpp"
#include "time/instant.hpp"

namespace weir {

void append_int(std::string& out, std::int64_t value);
// Seconds with up to three decimals: "5.0", "0.25".
void append_seconds(std::string& out, Micros duration);
// Dollars with six decimals, rounded half up: "0.000123".
void append_usd(std::string& out, NanoUsd amount);
// In the metric's unit: a count, or dollars.
void append_amount(std::string& out, Metric metric, std::int64_t amount);

}  // namespace weir
