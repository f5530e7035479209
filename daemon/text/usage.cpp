#include "daemon/text/usage.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "daemon/text/human.hpp"

namespace weir::daemon {
namespace {

struct Field {
  const char* key;
  const char* title;
  bool always;  // also where every row has 0
  int drop;
};
constexpr Field kGroups[] = {
    {"project", "PROJECT", false, 0}, {"model", "MODEL", false, 0}, {"consumer", "CONSUMER", false, 0}};
constexpr std::size_t kLeastName = 16;  // tells "gemini-2.5-flash" from "gemini-2.5-flash-lite"
constexpr Field kCounts[] = {{"calls", "CALLS", true, 0},
                             {"errors", "ERRORS", true, 4},
                             {"denied", "DENIED", true, 3},
                             {"expired", "EXPIRED", false, 2},
                             {"input_tokens", "INPUT", true, 5},
                             {"cached_input_tokens", "CACHED", false, 1},
                             {"output_tokens", "OUTPUT", true, 5},
                             {"thoughts_tokens", "THOUGHTS", false, 1},
                             {"tool_use_tokens", "TOOL USE", false, 1},
                             {"total_tokens", "TOTAL", true, 0}};

// "2026-11-22 08:00" of an RFC 3339 text, "2026-11-22" of a midnight UTC.
std::string bucket_text(const std::string& rfc3339) {
  if (rfc3339.size() < 16) return rfc3339;
  const std::string minute = rfc3339.substr(11, 5);
  return minute == "00:00" ? rfc3339.substr(0, 10) : rfc3339.substr(0, 10) + " " + minute;
}

std::string count_text(const char* key, std::int64_t count) {
  return human_amount(key, static_cast<double>(count));
}

}  // namespace

std::string render_usage(const nlohmann::json& usage, const Look& look) {
  const auto found = usage.find("rows");
  if (found == usage.end() || !found->is_array() || found->empty()) return "nothing used in this period\n";
  const nlohmann::json& rows = *found;
  const auto any = [&](auto&& holds) { return std::any_of(rows.begin(), rows.end(), holds); };

  std::vector<Column> columns;
  std::vector<const Field*> groups, counts;
  const bool buckets = any([](const auto& row) { return !text_at(row, "bucket_start").empty(); });
  if (buckets) columns.push_back({"FROM (UTC)"});
  for (const Field& field : kGroups) {
    if (!any([&](const auto& row) { return !text_at(row, field.key).empty(); })) continue;
    groups.push_back(&field);
    columns.push_back({field.title, false, field.drop, kLeastName});
  }
  for (const Field& field : kCounts) {
    if (!field.always && !any([&](const auto& row) { return count_at(row, field.key) != 0; })) continue;
    counts.push_back(&field);
    columns.push_back({field.title, true, field.drop});
  }
  columns.push_back({"COST", true});

  std::vector<std::vector<Cell>> table;
  std::vector<std::int64_t> sums(counts.size(), 0);
  double cost = 0;
  for (const auto& row : rows) {
    std::vector<Cell> cells;
    if (buckets) cells.push_back({bucket_text(text_at(row, "bucket_start"))});
    for (const Field* field : groups) cells.push_back({text_at(row, field->key)});
    for (std::size_t i = 0; i < counts.size(); ++i) {
      const std::int64_t count = count_at(row, counts[i]->key);
      sums[i] += count;
      cells.push_back({count_text(counts[i]->key, count), count == 0 ? Style::dim : Style::plain});
    }
    cost += number_at(row, "cost_usd");
    cells.push_back({human_dollars(number_at(row, "cost_usd"))});
    table.push_back(std::move(cells));
  }
  if (rows.size() > 1) {
    std::vector<Cell> cells;
    for (std::size_t i = 0; i < groups.size() + (buckets ? 1 : 0); ++i)
      cells.push_back({i == 0 ? "all" : "", Style::bold});
    for (std::size_t i = 0; i < counts.size(); ++i)
      cells.push_back({count_text(counts[i]->key, sums[i]), Style::bold});
    cells.push_back({human_dollars(cost), Style::bold});
    table.push_back(std::move(cells));
  }
  return render_table(columns, table, look);
}

}  // namespace weir::daemon
