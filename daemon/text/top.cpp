#include "daemon/text/top.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "daemon/text/human.hpp"
#include "daemon/text/limit_rows.hpp"

namespace weir::daemon {
namespace {

constexpr std::size_t kBarWidth = 10;
constexpr std::size_t kAbove = 4;  // two lines about the whole, one blank, the titles
constexpr std::size_t kBelow = 1;

// `left` and `right` at the ends of a line; what does not fit is cut from the left one.
std::string ends(const std::string& left, const std::string& right, std::size_t width, const Look& look) {
  if (right.empty()) return cut_end(left, width, look);
  if (width == 0) return left + "  " + right;
  const std::size_t of_right = display_width(right);
  if (of_right + 2 > width) return cut_end(left, width, look);
  const std::string cut = cut_end(left, width - of_right - 2, look);
  return cut + std::string(width - of_right - display_width(cut), ' ') + right;
}

std::string summary(const std::vector<LimitRow>& rows) {
  std::size_t touched = 0, exhausted = 0, run_out = 0;
  std::int64_t waiting = 0;
  for (const LimitRow& row : rows) {
    if (row.touched()) ++touched;
    if (row.exhausted()) ++exhausted;
    if (row.forecast == "runs_out") ++run_out;
    waiting = std::max(waiting, row.waiting);
  }
  std::string text =
      fmt::format("{} {}, {} in use", rows.size(), rows.size() == 1 ? "limit" : "limits", touched);
  if (exhausted > 0) text += fmt::format(", {} used up", exhausted);
  if (run_out > 0) text += fmt::format(", {} will run out before the reset", run_out);
  if (waiting > 0) text += fmt::format(", {} waiting", waiting);
  return text;
}

std::vector<std::string> table_lines(const std::vector<LimitRow>& rows, WallTime now, const Look& look) {
  std::set<std::string> projects;
  bool elsewhere = false, waiting = false;
  for (const LimitRow& row : rows) {
    projects.insert(row.project);
    elsewhere = elsewhere || row.elsewhere > 0;
    waiting = waiting || row.waiting > 0;
  }
  // Columns that are empty in all rows are left out. Those whose texts change all the time keep their width.
  std::vector<Column> columns;
  if (projects.size() > 1) columns.push_back({"PROJECT", false, 0, 8});
  // Names matter more than the pace, but at 60 columns there is nothing more to leave out.
  columns.push_back({"LIMIT", false, 0, look.width >= 72 ? std::size_t{24} : std::size_t{20}});
  columns.push_back({"", false, 6});
  columns.push_back({"USED", true, 0, 0, 5});
  columns.push_back({"HELD", true, 4});
  if (waiting) columns.push_back({"WAIT", true, 3});
  if (elsewhere) columns.push_back({"ELSE", true, 2});
  columns.push_back({"OF", true, 0, 0, 5});
  columns.push_back({"PACE/H", true, 5, 0, 7});
  columns.push_back({"RUNS OUT", false, 0, 0, 9});
  columns.push_back({"RESETS", false, 0, 0, 9});
  columns.push_back({"SOURCE", false, 1});
  std::vector<std::vector<Cell>> table;
  table.reserve(rows.size());
  for (const LimitRow& row : rows) {
    const Style quiet = row.touched() ? Style::plain : Style::dim;
    std::vector<Cell>& cells = table.emplace_back();
    if (projects.size() > 1) cells.push_back({row.project, quiet});
    cells.push_back({row.limit, quiet});
    cells.push_back(bar_cell(row, kBarWidth, look));
    cells.push_back({human_amount(row.metric, row.used), quiet});
    cells.push_back({human_amount(row.metric, row.held), row.held > 0 ? Style::plain : Style::dim});
    if (waiting) cells.push_back({human_count(row.waiting), row.waiting > 0 ? Style::warning : Style::dim});
    if (elsewhere) {
      cells.push_back(
          {human_amount(row.metric, row.elsewhere), row.elsewhere > 0 ? Style::plain : Style::dim});
    }
    cells.push_back({human_amount(row.metric, row.amount), quiet});
    cells.push_back(pace_cell(row));
    cells.push_back(runs_out_cell(row, now));
    cells.push_back(resets_cell(row, now));
    cells.push_back({row.provenance, Style::dim});
  }
  return lines_of(render_table(columns, table, look));
}

std::vector<std::string> heading(const Frame& frame, const std::string& daemon,
                                 const std::vector<LimitRow>& rows, const Look& look) {
  const std::string age =
      fmt::format("data {} old", frame.age.count() == 0 ? "0s" : human_duration(frame.age));
  const std::string title = ends("weir top  " + daemon, age, look.width, look);
  if (frame.trouble.empty())
    return {paint(title, Style::bold, look), cut_end(summary(rows), look.width, look)};
  const std::string trouble = cut_end("trying again: " + frame.trouble, look.width, look);
  return {paint(title, Style::bad, look), paint(trouble, Style::bad, look)};
}

}  // namespace

Drawn render_top(const Frame& frame, const std::string& daemon, const Look& frame_look) {
  Look look = frame_look;
  look.width = frame.columns;
  const std::vector<LimitRow> rows = read_limits(frame.quota, frame.now);
  Drawn drawn{.lines = heading(frame, daemon, rows, look), .rows = rows.size()};
  drawn.lines.emplace_back();
  const std::vector<std::string> table = table_lines(rows, frame.now, look);
  drawn.lines.push_back(table.front());
  drawn.visible = frame.lines > kAbove + kBelow ? frame.lines - kAbove - kBelow : 0;
  const std::size_t first =
      std::min(frame.first, rows.size() > drawn.visible ? rows.size() - drawn.visible : 0);
  const std::size_t end = std::min(rows.size(), first + drawn.visible);
  for (std::size_t i = first; i < end; ++i) drawn.lines.push_back(table[i + 1]);
  drawn.lines.resize(std::max<std::size_t>(frame.lines, 1) - 1);
  const bool all = drawn.visible >= rows.size();
  const std::string keys = all ? "q quits" : "q quits, arrows and PgUp, PgDn scroll";
  const std::string range =
      all || drawn.visible == 0 ? "" : fmt::format("{} to {} of {}", first + 1, end, rows.size());
  drawn.lines.push_back(paint(ends(keys, range, look.width, look), Style::dim, look));
  return drawn;
}

std::string render_top_once(const Frame& frame, const std::string& daemon, const Look& look) {
  const std::vector<LimitRow> rows = read_limits(frame.quota, frame.now);
  std::string out;
  for (const std::string& line : heading(frame, daemon, rows, look)) out += line + '\n';
  out += '\n';
  for (const std::string& line : table_lines(rows, frame.now, look)) out += line + '\n';
  return out;
}

}  // namespace weir::daemon
