#include "daemon/text/statusline.hpp"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "daemon/text/human.hpp"
#include "daemon/text/limit_rows.hpp"

namespace weir::daemon {
namespace {

constexpr std::size_t kLimitsOfOne = 2;
constexpr std::size_t kOthers = 3;

using Piece = std::pair<std::string, Style>;

std::string_view window_words(const std::string& window) {
  static constexpr std::pair<std::string_view, std::string_view> kWords[] = {
      {"day", " today"},    {"week", " this week"}, {"month", " this month"}, {"1s", " a second"},
      {"60s", " a minute"}, {"1m", " a minute"},    {"1h", " an hour"},       {"in_flight", " open"}};
  for (const auto& [name, words] : kWords) {
    if (name == window) return words;
  }
  return {};
}

// "16/20 today", "12k/250k input tokens a minute", "3/10 in 10m"; "closed", "closed 3/20 today".
std::string use_words(const LimitRow& row) {
  if (row.closed && row.amount <= 0) return "closed";  // a cool-down: it counts nothing
  std::string text = row.closed ? "closed " : "";
  text += fmt::format("{}/{}", human_amount(row.metric, row.used + row.held),
                      human_amount(row.metric, row.amount));
  if (row.metric.ends_with("_tokens") || row.metric == "images") {
    std::string metric = row.metric;
    std::replace(metric.begin(), metric.end(), '_', ' ');
    text += " " + metric;
  }
  const std::string_view window = window_words(row.window);
  return text + (window.empty() ? " in " + row.window : std::string(window));
}

std::string join(const std::vector<Piece>& pieces, const Look& look) {
  std::string line;
  for (const auto& [text, style] : pieces) line += paint(text, style, look);
  return line;
}

std::size_t width_of(const std::vector<Piece>& pieces) {
  std::size_t width = 0;
  for (const Piece& piece : pieces) width += display_width(piece.first);
  return width;
}

bool same_model(const LimitRow& a, const LimitRow& b) {
  return a.project == b.project && a.model == b.model;
}

}  // namespace

std::string render_statusline(const nlohmann::json& quota, WallTime now, const Look& look) {
  const std::vector<LimitRow> rows = read_limits(quota, now);
  if (rows.empty()) return "weir: no limits";
  const bool several = std::any_of(rows.begin(), rows.end(),
                                   [&](const LimitRow& row) { return row.project != rows.front().project; });
  const LimitRow& nearest = rows.front();
  if (!nearest.touched()) return "weir: nothing used";
  const auto name = [&](const LimitRow& row) { return several ? row.project + " " + row.model : row.model; };

  // The most important first: what does not fit is dropped from the end.
  std::vector<Piece> pieces{{name(nearest) + " ", Style::plain}, {use_words(nearest), urgency(nearest)}};
  std::size_t limits = 1;
  for (const LimitRow& row : rows) {
    if (&row == &nearest || !same_model(row, nearest) || !row.touched() || limits == kLimitsOfOne) continue;
    pieces.emplace_back(", " + use_words(row), urgency(row));
    ++limits;
  }
  if (nearest.forecast == "runs_out" && nearest.exhausts_at) {
    pieces.emplace_back(", runs out in " + human_duration(*nearest.exhausts_at - now), Style::warning);
  }
  if (nearest.resets_at)
    pieces.emplace_back(", resets " + human_duration(*nearest.resets_at - now), Style::plain);
  std::set<std::pair<std::string, std::string>> told{{nearest.project, nearest.model}};
  for (const LimitRow& row : rows) {
    if (urgency(row) == Style::good || told.size() > kOthers) break;
    if (!told.emplace(row.project, row.model).second) continue;
    pieces.emplace_back("; " + name(row) + " " + use_words(row), urgency(row));
  }
  if (look.width == 0) return join(pieces, look);
  while (pieces.size() > 2 && width_of(pieces) > look.width) pieces.pop_back();
  if (width_of(pieces) <= look.width) return join(pieces, look);
  // Not even one limit: its numbers matter more than its model's whole name.
  const std::size_t use = display_width(pieces[1].first);
  if (use + 2 > look.width) return paint(cut_end(pieces[1].first, look.width, look), pieces[1].second, look);
  pieces[0].first = cut_end(name(nearest), look.width - use - 1, look) + " ";
  return join(pieces, look);
}

}  // namespace weir::daemon
