#include "daemon/text/human.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "text/printable.hpp"
#include "time/rfc3339.hpp"

namespace weir::daemon {
namespace {

// "1.50" -> "1.5", "2.00" -> "2".
std::string without_zeros(std::string text) {
  if (text.find('.') == std::string::npos) return text;
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text;
}

}  // namespace

std::string human_count(std::int64_t count) {
  if (count < 0) return "-" + human_count(-count);
  if (count < 1000) return fmt::format("{}", count);
  double value = static_cast<double>(count);
  std::size_t unit = 0;
  constexpr std::array<std::string_view, 5> kUnits = {"", "k", "M", "G", "T"};
  // 999.5 would print as 1000: it is the next unit's 1.
  while (value >= 999.5 && unit + 1 < kUnits.size()) {
    value /= 1000;
    ++unit;
  }
  const int decimals = value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return without_zeros(fmt::format("{:.{}f}", value, decimals)) + std::string(kUnits[unit]);
}

std::string human_dollars(double dollars) {
  if (dollars < 0) return "-" + human_dollars(-dollars);
  if (dollars >= 0.995) return fmt::format("${:.2f}", dollars);
  return "$" + without_zeros(fmt::format("{:.6f}", dollars));
}

std::string human_duration(Micros duration) {
  if (duration.count() <= 0) return "now";
  std::int64_t s = (duration.count() + 999'999) / 1'000'000;
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3600) return fmt::format("{}m {:02}s", s / 60, s % 60);
  const std::int64_t minutes = (s + 59) / 60;
  if (minutes < 24 * 60) return fmt::format("{}h {:02}m", minutes / 60, minutes % 60);
  const std::int64_t hours = (minutes + 59) / 60;
  return fmt::format("{}d {}h", hours / 24, hours % 24);
}

std::string human_amount(std::string_view metric, double amount) {
  if (metric == "cost_usd") return human_dollars(amount);
  const auto whole = static_cast<std::int64_t>(std::llround(amount));
  if (metric.ends_with("_tokens")) return human_count(whole);
  return fmt::format("{}", whole);
}

std::string human_rate(std::string_view metric, double per_hour) {
  if (metric == "cost_usd") return human_dollars(per_hour);
  if (per_hour < 9.95) return without_zeros(fmt::format("{:.1f}", per_hour));
  return human_count(std::llround(per_hour));
}

std::string text_at(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? printable(found->get<std::string>()) : std::string();
}

double number_at(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

std::int64_t count_at(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<std::int64_t>() : 0;
}

std::optional<WallTime> time_at(const nlohmann::json& object, const char* key) {
  return parse_rfc3339(text_at(object, key));
}

}  // namespace weir::daemon
