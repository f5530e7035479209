// Answers of GET /v1/quota for the tests of what shows them.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "daemon/text/table.hpp"
#include "time/rfc3339.hpp"

namespace weir::daemon {

using nlohmann::json;

inline const WallTime kNow = parse_rfc3339("2026-11-22T12:00:00Z").value();
inline const Look kAscii{0, false, false};

inline json limit(const std::string& name, const char* metric, double amount, double used, double held) {
  return {{"project", "default"},
          {"limit", name},
          {"models", {name.substr(0, name.find('/'))}},
          {"metric", metric},
          {"window", name.substr(name.rfind('/') + 1)},
          {"amount", amount},
          {"used", used},
          {"held", held},
          {"remaining", std::max(0.0, amount - used - held)},
          {"used_elsewhere", 0},
          {"waiting", 0},
          {"resets_at", nullptr},
          {"pace_per_hour", nullptr},
          {"forecast", "unknown"},
          {"exhausts_at", nullptr},
          {"source", "catalog"},
          {"published", "2026-09-04"},
          {"enforced", true}};
}

inline json answer(std::vector<json> limits) {
  return {{"as_of", "2026-11-22T12:00:00.000Z"}, {"limits", std::move(limits)}};
}

// One of each: a day that runs out, a minute that lasts, a budget beyond its end, two that nobody used.
inline json three_limits() {
  json day = limit("gemini-2.5-flash/requests/day", "requests", 20, 16, 1);
  day["resets_at"] = "2026-11-22T19:12:00.000Z";
  day["pace_per_hour"] = 1.5;
  day["forecast"] = "runs_out";
  day["exhausts_at"] = "2026-11-22T14:00:00.000Z";
  json tokens = limit("gemini-2.5-flash/input_tokens/60s", "input_tokens", 250'000, 12'345, 0);
  tokens["resets_at"] = "2026-11-22T12:00:42.000Z";
  tokens["pace_per_hour"] = 46'472.73;
  tokens["forecast"] = "lasts";
  json money = limit("*/cost_usd/month", "cost_usd", 10, 10.25, 0);
  money["source"] = "config";
  money["published"] = nullptr;
  money["enforced"] = false;
  money["forecast"] = "exhausted";
  money["exhausts_at"] = "2026-11-22T12:00:00.000Z";
  json off = limit("gemini-off/requests/day", "requests", 0, 0, 0);
  off["forecast"] = "exhausted";  // it never allows anything
  return answer({day, tokens, money, limit("gemini-3/requests/day", "requests", 20, 0, 0), off});
}

}  // namespace weir::daemon
