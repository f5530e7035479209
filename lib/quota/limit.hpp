// A limit, as published, configured or observed.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quota/amounts.hpp"
#include "time/zone.hpp"

namespace weir::quota {

enum class WindowKind : std::uint8_t { sliding, day, week, month, in_flight };

// Over what a limit counts. Sliding: any interval of `length` (1 s to 31 days). Calendar: local day, ISO week
// or month. In flight: while the call is open.
struct Window {
  WindowKind kind = WindowKind::day;
  Micros length{0};  // sliding only

  bool operator==(const Window&) const = default;
};

std::string to_string(const Window& window);  // "60s", "10m", "day", "in_flight"
// nullopt for anything but the texts above.
std::optional<Window> parse_window(std::string_view text);

// nullopt: sliding, or in flight.
std::optional<CalendarUnit> calendar_unit(WindowKind kind);

enum class Source : std::uint8_t { catalog, config, observed };
std::string_view to_string(Source source);

inline constexpr std::int64_t kNoAmount = std::int64_t{1} << 60;  // of a gate

struct LimitSpec {
  // Unique in its project: models joined by ",", "/", metric, "/", window ("gemini-2.5-flash/requests/day");
  // in-flight limits have no window part.
  std::string name;
  std::vector<std::string> models;  // exact names or globs; one counter for all of them
  Metric metric = Metric::requests;
  Window window;
  std::int64_t amount = 0;  // per window, in the metric's unit (cost_usd: billionths of a dollar)
  std::string time_zone;    // IANA; calendar windows only
  bool enforce = true;      // false: counted and reported, never denies
  Source source = Source::config;
  std::string published;  // catalog: the date of the table, "2026-09-04"
  std::string consumer;   // if set, only this consumer's calls count
  // Counts nothing and is never full: only closed for a while by upstream's word. Listed while it is.
  bool gate = false;
  bool assumed = false;  // no table lists the model: the strictest limits of its tier were taken

  bool operator==(const LimitSpec&) const = default;
};

// Whether only calls of one model count there, so that no other model shares it.
bool counts_one_model(const LimitSpec& spec);

std::string limit_name(const std::vector<std::string>& models, Metric metric, const Window& window);

// Shell-style: '*' any run, '?' any one character; everything else itself.
bool glob_match(std::string_view pattern, std::string_view text);

}  // namespace weir::quota
