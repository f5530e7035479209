// What the service is set up with: the configuration, checked, without secrets. Constant after construction.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quota/limit.hpp"
#include "time/instant.hpp"

namespace weir::admission {

struct ProjectSetup {
  std::string name;
  std::string provider;
  std::string tier;
  std::string as_of;  // "" = the latest
  bool use_catalog = true;
  bool explore = false;                  // probe whether a published limit is too strict
  std::string time_zone;                 // exists; in which the project's days are reported
  Micros guard{250'000};                 // bound on network jitter and clock difference to upstream
  std::vector<quota::LimitSpec> limits;  // exact model names in the catalog's own spelling, aliases resolved
};

struct PoolSetup {
  std::string name;
  std::vector<std::string> projects;                         // in the order in which they are tried
  std::map<std::string, std::vector<std::string>> fallback;  // model -> other models, in order
};

enum class Priority : std::uint8_t { high, normal, low };
inline std::optional<Priority> parse_priority(std::string_view word) {
  if (word == "high") return Priority::high;
  if (word == "normal") return Priority::normal;
  if (word == "low") return Priority::low;
  return std::nullopt;
}

struct ConsumerSetup {
  std::string name;
  Priority priority = Priority::normal;
  double weight = 1;                     // its part of a contended quota, beside others of its priority
  double max_share = 1;                  // of any one limit
  std::vector<quota::LimitSpec> limits;  // in every project, each with its own counter
};

struct Setup {
  std::vector<ProjectSetup> projects;
  std::vector<PoolSetup> pools;
  std::vector<ConsumerSetup> consumers;
  Micros max_wait = std::chrono::seconds(60);
  std::size_t max_waiting = 1000;
  std::size_t max_open = 100'000;
  // Of the ratios of actual to estimated input tokens by which estimates are corrected: 0.5 to 0.999.
  double estimate_quantile = 0.95;
};

}  // namespace weir::admission
