#include "time/duration.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

namespace weir {
namespace {

struct Unit {
  std::string_view suffix;
  double micros;
};
// Largest first; "ms" before "m" and "s" so that the longest suffix wins.
constexpr std::array kUnits = {Unit{"d", 86'400e6}, Unit{"h", 3'600e6}, Unit{"ms", 1e3},
                               Unit{"m", 60e6},     Unit{"us", 1.0},    Unit{"s", 1e6}};
constexpr double kLongest = 400 * 86'400e6;

}  // namespace

std::optional<Micros> parse_duration(std::string_view text) {
  if (text.empty()) return std::nullopt;
  double total = 0;
  double previous_unit = kLongest;
  while (!text.empty()) {
    double number = 0;
    if (text.front() < '0' || text.front() > '9') return std::nullopt;  // from_chars would take "-", "inf"
    const auto parsed =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (parsed.ec != std::errc()) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(parsed.ptr - text.data()));
    const Unit* unit = nullptr;
    for (const Unit& candidate : kUnits) {
      if (text.substr(0, candidate.suffix.size()) == candidate.suffix) {
        unit = &candidate;
        break;
      }
    }
    if (unit == nullptr || unit->micros >= previous_unit) return std::nullopt;
    text.remove_prefix(unit->suffix.size());
    previous_unit = unit->micros;
    total += number * unit->micros;
    if (total > kLongest) return std::nullopt;
  }
  return Micros(std::llround(total));
}

std::string to_string(Micros duration) {
  const auto us = duration.count();
  if (us != 0 && us % 3'600'000'000 == 0) return fmt::format("{}h", us / 3'600'000'000);
  if (us > 60'000'000 && us % 60'000'000 == 0) return fmt::format("{}m", us / 60'000'000);
  if (us % 1'000'000 == 0) return fmt::format("{}s", us / 1'000'000);
  if (us % 1'000 == 0) return fmt::format("{}ms", us / 1'000);
  return fmt::format("{}us", us);
}

}  // namespace weir
