// A provider's own count of the calls it has seen, in every way that providers are known to count.
//
// On purpose without a line of lib/: plain microseconds, libc's calendar, and algorithms that are too simple
// to be wrong. It sees everything afterwards, so it may be slow.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::property {

struct Counted {
  std::int64_t at;    // true time, microseconds
  std::int64_t wall;  // the same on the provider's own wall clock, microseconds since 1970
  std::int64_t amount;
};

struct Open {
  std::int64_t from;
  std::int64_t to;
};

// nullopt: never over the limit. Else how it was counted, when it went over, and how far.
using Excess = std::optional<std::string>;

// Minutes that begin at k * window + phase, for `phases` phases.
Excess fixed_windows(std::vector<Counted> calls, std::int64_t window, std::int64_t amount, int phases);
// Every half-open interval of that length.
Excess rolling_window(std::vector<Counted> calls, std::int64_t window, std::int64_t amount);
// Holds `amount`, full at first, refilled evenly at `amount` a window.
Excess token_bucket(std::vector<Counted> calls, std::int64_t window, std::int64_t amount);
// Local days, weeks from Monday, or months, in an IANA zone, on the provider's wall clock.
enum class Calendar { day, week, month };
Excess calendar(const std::vector<Counted>& calls, Calendar unit, const std::string& zone,
                std::int64_t amount);
// Numbers the days, weeks or months of a zone, without gaps: their order is that of time.
std::int64_t number_of(Calendar unit, const std::string& zone, std::int64_t wall);
Excess in_flight(const std::vector<Open>& calls, std::int64_t amount);

}  // namespace weir::property
