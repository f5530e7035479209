#include "quota/limit.hpp"

#include "time/duration.hpp"

namespace weir::quota {
namespace {

constexpr Micros kShortest = std::chrono::seconds(1);
constexpr Micros kLongest = std::chrono::hours(24 * 31);

}  // namespace

std::string to_string(const Window& window) {
  switch (window.kind) {
    case WindowKind::sliding:
      return weir::to_string(window.length);
    case WindowKind::day:
      return "day";
    case WindowKind::week:
      return "week";
    case WindowKind::month:
      return "month";
    case WindowKind::in_flight:
      return "in_flight";
  }
  return {};
}

std::optional<Window> parse_window(std::string_view text) {
  if (text == "day") return Window{WindowKind::day, {}};
  if (text == "week") return Window{WindowKind::week, {}};
  if (text == "month") return Window{WindowKind::month, {}};
  if (text == "in_flight") return Window{WindowKind::in_flight, {}};
  const auto length = parse_duration(text);
  if (!length || *length < kShortest || *length > kLongest) return std::nullopt;
  return Window{WindowKind::sliding, *length};
}

std::optional<CalendarUnit> calendar_unit(WindowKind kind) {
  switch (kind) {
    case WindowKind::day:
      return CalendarUnit::day;
    case WindowKind::week:
      return CalendarUnit::week;
    case WindowKind::month:
      return CalendarUnit::month;
    default:
      return std::nullopt;
  }
}

std::string_view to_string(Source source) {
  switch (source) {
    case Source::catalog:
      return "catalog";
    case Source::config:
      return "config";
    case Source::observed:
      return "observed";
  }
  return {};
}

bool counts_one_model(const LimitSpec& spec) {
  return spec.models.size() == 1 && spec.models.front().find_first_of("*?") == std::string::npos;
}

std::string limit_name(const std::vector<std::string>& models, Metric metric, const Window& window) {
  std::string name;
  for (const std::string& model : models) {
    if (!name.empty()) name += ',';
    name += model;
  }
  name += '/';
  name += weir::to_string(metric);
  if (window.kind != WindowKind::in_flight) {
    name += '/';
    name += to_string(window);
  }
  return name;
}

bool glob_match(std::string_view pattern, std::string_view text) {
  // On a mismatch, goes back to the last '*' and lets it take one more character: linear in practice, never
  // recursive.
  std::size_t p = 0, t = 0, star = std::string_view::npos, resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || (pattern[p] == text[t] && pattern[p] != '*'))) {
      ++p, ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace weir::quota
