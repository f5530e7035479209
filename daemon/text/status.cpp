#include "daemon/text/status.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "daemon/text/human.hpp"

namespace weir::daemon {
namespace {

struct Row {
  std::string project, limit, metric, source, forecast;
  double amount = 0, used = 0, held = 0, remaining = 0;
  std::optional<WallTime> resets_at, exhausts_at;
  bool enforced = true;

  [[nodiscard]] bool touched() const { return used > 0 || held > 0; }
  // 1: at the limit.
  [[nodiscard]] double nearness() const { return amount > 0 ? (used + held) / amount : touched() ? 2 : 0; }
};

Row read_row(const nlohmann::json& limit) {
  Row row;
  row.project = text_at(limit, "project");
  row.limit = text_at(limit, "limit");
  row.metric = text_at(limit, "metric");
  row.amount = number_at(limit, "amount");
  row.used = number_at(limit, "used");
  row.held = number_at(limit, "held");
  row.remaining = number_at(limit, "remaining");
  row.resets_at = time_at(limit, "resets_at");
  row.exhausts_at = time_at(limit, "exhausts_at");
  row.forecast = text_at(limit, "forecast");
  const auto enforced = limit.find("enforced");
  row.enforced = enforced == limit.end() || !enforced->is_boolean() || enforced->get<bool>();
  // Where every number comes from, and how old it is.
  row.source = text_at(limit, "source");
  if (const auto published = text_at(limit, "published"); !published.empty()) row.source += " " + published;
  // No table lists the model: the strictest limits of its tier stand in.
  if (limit.value("assumed", false)) row.source += ", assumed";
  if (!row.enforced) row.source += ", not enforced";
  return row;
}

std::string until(const std::optional<WallTime>& at, WallTime now) {
  if (!at) return "-";
  return *at <= now ? "now" : "in " + human_duration(*at - now);
}

// "-": not before its reset, or there is no telling in principle.
std::string runs_out(const Row& row, WallTime now) {
  return row.forecast == "unknown" ? row.forecast : until(row.exhausts_at, now);
}

Style urgency(const Row& row) {
  if (row.nearness() >= 1) return Style::bad;
  return row.nearness() >= 0.8 ? Style::warning : Style::good;
}

std::vector<Cell> cells(const Row& row, WallTime now, bool with_project, const Look& look) {
  std::vector<Cell> out;
  if (with_project) out.push_back({row.project});
  const Style style = urgency(row);
  out.push_back({row.limit});
  out.push_back({bar(row.used, row.held, row.amount, look), style});
  out.push_back({human_amount(row.metric, row.used)});
  out.push_back({human_amount(row.metric, row.held), row.held > 0 ? Style::plain : Style::dim});
  out.push_back({human_amount(row.metric, row.remaining), style == Style::good ? Style::plain : style});
  out.push_back({human_amount(row.metric, row.amount)});
  out.push_back({until(row.resets_at, now)});
  out.push_back({runs_out(row, now), row.exhausts_at ? Style::warning : Style::dim});
  out.push_back({row.source, Style::dim});
  return out;
}

}  // namespace

std::string render_status(const nlohmann::json& quota, WallTime now, const StatusView& view,
                          const Look& look) {
  std::vector<Row> rows;
  std::set<std::string> projects;
  std::size_t folded = 0;
  const auto limits = quota.find("limits");
  if (limits == quota.end() || !limits->is_array() || limits->empty()) return "no limits\n";
  for (const auto& limit : *limits) {
    Row row = read_row(limit);
    projects.insert(row.project);
    if (view.all || row.touched()) {
      rows.push_back(std::move(row));
    } else {
      ++folded;
    }
  }
  const std::string_view plural = folded == 1 ? "limit" : "limits";
  if (rows.empty()) return fmt::format("{} {}, nothing used (--all shows them)\n", folded, plural);

  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) {
    if (a.nearness() != b.nearness()) return a.nearness() > b.nearness();
    return std::pair(a.project, a.limit) < std::pair(b.project, b.limit);
  });
  std::vector<Column> columns;
  if (projects.size() > 1) columns.push_back({"PROJECT", false, 0, 8});
  columns.push_back({"LIMIT", false, 0, 24});
  columns.push_back({"", false, 3});
  columns.push_back({"USED", true});
  columns.push_back({"HELD", true, 2});
  columns.push_back({"LEFT", true});
  columns.push_back({"OF", true});
  columns.push_back({"RESETS"});
  columns.push_back({"RUNS OUT", false, 4});
  columns.push_back({"SOURCE", false, 1});
  std::vector<std::vector<Cell>> table;
  table.reserve(rows.size());
  for (const Row& row : rows) table.push_back(cells(row, now, projects.size() > 1, look));
  std::string out = render_table(columns, table, look);
  if (folded > 0) {
    const std::string line = fmt::format("{} and {} {} with nothing used (--all shows them)",
                                         look.unicode ? "…" : "...", folded, plural);
    out += paint(line, Style::dim, look);
    out += '\n';
  }
  return out;
}

}  // namespace weir::daemon
