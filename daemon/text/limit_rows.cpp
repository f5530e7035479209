#include "daemon/text/limit_rows.hpp"

#include <algorithm>
#include <tuple>

#include "daemon/text/human.hpp"
#include "text/printable.hpp"

namespace weir::daemon {
namespace {

constexpr double kNear = 0.8;

// Where the amount comes from, and how old that is.
std::string provenance_of(const nlohmann::json& limit) {
  const std::string source = text_at(limit, "source");
  std::string words = source == "catalog" ? "published" : source == "config" ? "configured" : source;
  // No table lists the model: the strictest limits of its tier stand in.
  if (limit.value("assumed", false)) words = "assumed";
  if (const auto published = text_at(limit, "published"); !published.empty()) words += " " + published;
  if (const auto enforced = limit.find("enforced"); enforced != limit.end() && *enforced == false) {
    words += ", not enforced";
  }
  return words;
}

LimitRow read_row(const nlohmann::json& limit, WallTime now) {
  LimitRow row;
  row.project = text_at(limit, "project");
  row.limit = text_at(limit, "limit");
  row.metric = text_at(limit, "metric");
  row.window = text_at(limit, "window");
  if (const auto models = limit.find("models");
      models != limit.end() && models->is_array() && !models->empty()) {
    if (models->front().is_string()) row.model = printable(models->front().get<std::string>());
  }
  row.forecast = text_at(limit, "forecast");
  row.provenance = provenance_of(limit);
  row.amount = number_at(limit, "amount");
  row.used = number_at(limit, "used");
  row.held = number_at(limit, "held");
  row.remaining = number_at(limit, "remaining");
  row.elsewhere = number_at(limit, "used_elsewhere");
  row.waiting = count_at(limit, "waiting");
  if (const auto pace = limit.find("pace_per_hour"); pace != limit.end() && pace->is_number()) {
    row.pace_per_hour = pace->get<double>();
  }
  row.resets_at = time_at(limit, "resets_at");
  row.exhausts_at = time_at(limit, "exhausts_at");
  if (const auto until = time_at(limit, "exhausted_until"); until && *until > now) {
    row.closed = true;
    row.resets_at = until;
  }
  return row;
}

std::string until(const std::optional<WallTime>& at, WallTime now) {
  if (!at) return "-";
  return *at <= now ? "now" : "in " + human_duration(*at - now);
}

}  // namespace

double LimitRow::nearness() const {
  if (closed) return 2;
  return amount > 0 ? (used + held) / amount : touched() ? 2 : 0;
}

std::vector<LimitRow> read_limits(const nlohmann::json& quota, WallTime now) {
  std::vector<LimitRow> rows;
  const auto limits = quota.find("limits");
  if (limits == quota.end() || !limits->is_array()) return rows;
  rows.reserve(limits->size());
  for (const auto& limit : *limits) {
    if (limit.is_object()) rows.push_back(read_row(limit, now));
  }
  std::stable_sort(rows.begin(), rows.end(), [](const LimitRow& a, const LimitRow& b) {
    if (a.nearness() != b.nearness()) return a.nearness() > b.nearness();
    return std::tie(a.project, a.limit) < std::tie(b.project, b.limit);
  });
  return rows;
}

Style urgency(const LimitRow& row) {
  if (row.nearness() >= 1) return Style::bad;
  return row.nearness() >= kNear ? Style::warning : Style::good;
}

Cell bar_cell(const LimitRow& row, std::size_t width, const Look& look) {
  const BarParts parts{
      .ours = row.used - row.elsewhere, .elsewhere = row.elsewhere, .held = row.held, .amount = row.amount};
  return {bar(parts, width, look), row.touched() ? urgency(row) : Style::dim};
}

Cell runs_out_cell(const LimitRow& row, WallTime now) {
  if (row.forecast == "unknown") return {row.forecast, Style::dim};
  return {until(row.exhausts_at, now), row.exhausts_at ? Style::warning : Style::dim};
}

Cell resets_cell(const LimitRow& row, WallTime now) {
  return {until(row.resets_at, now)};
}

Cell pace_cell(const LimitRow& row) {
  if (row.pace_per_hour) return {human_rate(row.metric, *row.pace_per_hour)};
  return {row.forecast == "none" ? "-" : "unknown", Style::dim};
}

}  // namespace weir::daemon
