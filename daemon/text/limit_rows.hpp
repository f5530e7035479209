// The limits of GET /v1/quota as rows for people: what `weir status`, `weir top` and `weir statusline` share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "daemon/text/table.hpp"
#include "time/instant.hpp"

namespace weir::daemon {

struct LimitRow {
  std::string project, limit, metric, window, model;  // model: the limit's first
  std::string forecast;                               // "lasts", "runs_out", …; "" of an older daemon
  std::string provenance;  // "published 2026-09-04", "configured", "observed", "assumed"
  double amount = 0, used = 0, held = 0, remaining = 0;
  double elsewhere = 0;  // the part of `used` that is not ours
  std::int64_t waiting = 0;
  std::optional<double> pace_per_hour;
  std::optional<WallTime> resets_at, exhausts_at;
  bool closed = false;  // upstream's word: nothing is admitted before `resets_at`, whatever was used

  [[nodiscard]] bool touched() const { return closed || used > 0 || held > 0 || waiting > 0; }
  // Not so a limit that never allows anything.
  [[nodiscard]] bool exhausted() const { return forecast == "exhausted" && exhausts_at; }
  // 1: at the limit; 2: closed, or nothing is ever allowed and something was used.
  [[nodiscard]] double nearness() const;
};

// The nearest to its limit first. Empty if the answer has none.
std::vector<LimitRow> read_limits(const nlohmann::json& quota, WallTime now);

// By nearness: green, yellow from four fifths on, red at the limit.
Style urgency(const LimitRow& row);
Cell bar_cell(const LimitRow& row, std::size_t width, const Look& look);
// "in 2h 00m", "now", "unknown"; "-" if it lasts, or has no forecast.
Cell runs_out_cell(const LimitRow& row, WallTime now);
Cell resets_cell(const LimitRow& row, WallTime now);
// Per hour: "120", "1.5k", "$0.25"; "unknown"; "-" where there is none.
Cell pace_cell(const LimitRow& row);

}  // namespace weir::daemon
