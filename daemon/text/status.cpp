#include "daemon/text/status.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "daemon/text/human.hpp"
#include "daemon/text/limit_rows.hpp"

namespace weir::daemon {
namespace {

constexpr std::size_t kBarWidth = 10;

std::vector<Cell> cells(const LimitRow& row, WallTime now, bool with_project, const Look& look) {
  std::vector<Cell> out;
  if (with_project) out.push_back({row.project});
  const Style style = urgency(row);
  out.push_back({row.limit});
  out.push_back(bar_cell(row, kBarWidth, look));
  out.push_back({human_amount(row.metric, row.used)});
  out.push_back({human_amount(row.metric, row.held), row.held > 0 ? Style::plain : Style::dim});
  out.push_back({human_amount(row.metric, row.remaining), style == Style::good ? Style::plain : style});
  out.push_back({human_amount(row.metric, row.amount)});
  out.push_back(resets_cell(row, now));
  out.push_back(runs_out_cell(row, now));
  out.push_back({row.provenance, Style::dim});
  return out;
}

}  // namespace

std::string render_status(const nlohmann::json& quota, WallTime now, const StatusView& view,
                          const Look& look) {
  std::vector<LimitRow> rows = read_limits(quota, now);
  if (rows.empty()) return "no limits\n";
  std::set<std::string> projects;
  for (const LimitRow& row : rows) projects.insert(row.project);
  const std::size_t folded =
      view.all ? 0 : std::erase_if(rows, [](const LimitRow& row) { return !row.touched(); });
  const std::string_view plural = folded == 1 ? "limit" : "limits";
  if (rows.empty()) return fmt::format("{} {}, nothing used (--all shows them)\n", folded, plural);

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
  for (const LimitRow& row : rows) table.push_back(cells(row, now, projects.size() > 1, look));
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
