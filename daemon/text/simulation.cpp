#include "daemon/text/simulation.hpp"

#include <charconv>
#include <set>

#include <fmt/format.h>

#include "daemon/text/human.hpp"
#include "http/problem.hpp"
#include "time/duration.hpp"
#include "time/rfc3339.hpp"

namespace weir::daemon {
namespace {

using nlohmann::ordered_json;
using simulation::Counting;

void append_seconds(std::string& out, Micros at) {
  char digits[24];
  const auto whole = std::to_chars(std::begin(digits), std::end(digits), at.count() / 1'000'000);
  out.append(std::begin(digits), whole.ptr);
  out += '.';
  auto part = static_cast<std::uint32_t>(at.count() % 1'000'000);
  for (std::uint32_t digit = 100'000; digit > 0; digit /= 10) {
    out += static_cast<char>('0' + part / digit);
    part %= digit;
    if (part == 0) return;
  }
}

std::string_view word_of(Counting counting) {
  switch (counting) {
    case Counting::fixed:
      return "minute";
    case Counting::bucket:
      return "bucket";
    default:
      return "sliding";
  }
}

// Money is counted in billionths and shown in dollars.
ordered_json amount_of(Metric metric, std::int64_t amount) {
  if (metric == Metric::cost_usd) return static_cast<double>(amount) / 1e9;
  return amount;
}

ordered_json limit_json(const simulation::LimitUse& use, bool upstream) {
  const Metric metric = use.spec.metric;
  ordered_json limit = {{"project", use.project},
                        {"limit", use.spec.name},
                        {"metric", to_string(metric)},
                        {"window", quota::to_string(use.spec.window)},
                        {"amount", amount_of(metric, use.spec.amount)},
                        {"denied", use.denied},
                        {"timed_out", use.timed_out},
                        {"used", amount_of(metric, use.charged)},
                        {"windows", use.windows},
                        {"share", nullptr},
                        {"fullest", amount_of(metric, use.fullest)}};
  if (use.windows > 0) limit["share"] = use.share();
  if (upstream) limit["refused_upstream"] = use.refused_upstream;
  return limit;
}

// Tenths up to a hundred seconds, then as everywhere.
std::string wait_text(double seconds) {
  if (seconds < 100) return fmt::format("{:.1f}s", seconds);
  return human_duration(Micros(static_cast<std::int64_t>(seconds * 1e6)));
}

std::string counting_text(const ordered_json& upstream) {
  const std::string counting = text_at(upstream, "counting");
  if (counting == word_of(Counting::bucket)) return "refills a bucket";
  if (counting == word_of(Counting::sliding)) return "counts every interval";
  return fmt::format("counts minutes that begin {:g}s after full ones", number_at(upstream, "phase_s"));
}

std::string calls_text(const ordered_json& summary) {
  const auto number = [&](const char* key) { return count_at(summary, key); };
  std::string out;
  const auto line = [&out](std::int64_t count, std::string_view what, const std::string& more) {
    out += fmt::format("{:>9}  {}{}\n", count, what, more);
  };
  const auto& waited = summary.at("waited");
  std::string waits;
  if (const auto calls = count_at(waited, "calls"); calls > 0) {
    waits = fmt::format(", {} of them after a wait: half within {}, 99 % within {}, the longest {}", calls,
                        wait_text(number_at(waited, "p50_s")), wait_text(number_at(waited, "p99_s")),
                        wait_text(number_at(waited, "max_s")));
  }
  line(number("arrivals"), "calls arrived",
       fmt::format(", {}, from {}",
                   number_at(summary, "duration_s") > 0
                       ? "in " + human_duration(Micros(
                                     static_cast<std::int64_t>(number_at(summary, "duration_s") * 1e6)))
                       : "at once",
                   text_at(summary, "began_at")));
  line(number("admitted"), "admitted", waits);
  line(number("denied"), "denied", "");
  line(number("timed_out"), "timed out", "");
  for (const auto& [key, words] : {std::pair{"never_fit", "asked for more than a limit's whole amount"},
                                   std::pair{"others_first", "met room, but others had waited for it"},
                                   std::pair{"line_full", "met queue.max_waiting calls in line"},
                                   std::pair{"too_many_open", "met queue.max_open open calls"}}) {
    if (number(key) > 0) out += fmt::format("{:>11}{} of these {}\n", "", number(key), words);
  }
  if (const auto upstream = summary.find("upstream"); upstream != summary.end()) {
    line(count_at(*upstream, "refused"),
         fmt::format("refused by the provider (429), of {} that reached it", count_at(*upstream, "calls")),
         fmt::format("; it {}, calls are up to {:g}s on their way", counting_text(*upstream),
                     number_at(*upstream, "jitter_s")));
  }
  return out;
}

std::string limits_text(const ordered_json& summary, const Look& look) {
  const auto& limits = summary.at("limits");
  if (limits.empty()) return {};
  std::set<std::string> projects;
  for (const auto& limit : limits) projects.insert(text_at(limit, "project"));
  const bool upstream = summary.contains("upstream");

  std::vector<Column> columns;
  if (projects.size() > 1) columns.push_back({"PROJECT", false, 0, 8});
  columns.push_back({"LIMIT", false, 0, 24});
  columns.push_back({"DENIED", true});
  columns.push_back({"TIMED OUT", true});
  if (upstream) columns.push_back({"REFUSED", true});
  columns.push_back({"USED", true});
  columns.push_back({"OF", true, 2});
  columns.push_back({"SHARE", true});
  columns.push_back({"FULLEST", true, 1});
  columns.push_back({"OF", true, 1});
  std::vector<std::vector<Cell>> rows;
  for (const auto& limit : limits) {
    const std::string metric = text_at(limit, "metric");
    const double amount = number_at(limit, "amount");
    const bool windows = count_at(limit, "windows") > 0;
    const auto count = [&](const char* key) {
      const std::int64_t value = count_at(limit, key);
      return Cell{std::to_string(value), value > 0 ? Style::warning : Style::dim};
    };
    std::vector<Cell> row;
    if (projects.size() > 1) row.push_back({text_at(limit, "project")});
    row.push_back({text_at(limit, "limit")});
    row.push_back(count("denied"));
    row.push_back(count("timed_out"));
    if (upstream) row.push_back(count("refused_upstream"));
    row.push_back({human_amount(metric, number_at(limit, "used"))});
    row.push_back({windows ? human_amount(metric, amount * number_at(limit, "windows")) : "-"});
    row.push_back({windows ? fmt::format("{:.1f} %", 100 * number_at(limit, "share")) : "-"});
    const double fullest = number_at(limit, "fullest");
    row.push_back({human_amount(metric, fullest), fullest >= amount ? Style::bad : Style::plain});
    row.push_back({human_amount(metric, amount)});
    rows.push_back(std::move(row));
  }
  return "\n" + render_table(columns, rows, look);
}

}  // namespace

void append_decision(std::string& out, const simulation::Decided& decided, std::string_view limit) {
  out += R"({"id":)";
  http::append_json_string(out, decided.id);
  out += R"(,"decision":")";
  out += simulation::to_string(decided.decision);
  out += R"(","at":)";
  append_seconds(out, decided.at);
  out += R"(,"decided_at":)";
  append_seconds(out, decided.decided_at);
  out += R"(,"limit":)";
  if (limit.empty()) {
    out += "null";
  } else {
    http::append_json_string(out, limit);
  }
  out += "}\n";
}

ordered_json summary_json(const simulation::Summary& summary, simulation::Engine& engine) {
  const WallTime zero = engine.now().wall - engine.elapsed();
  const bool any = summary.arrivals() > 0;
  const simulation::Durations& waits = summary.waits();
  ordered_json out = {
      {"arrivals", summary.arrivals()},
      {"admitted", summary.admitted()},
      {"denied", summary.denied()},
      {"timed_out", summary.timed_out()},
      {"never_fit", summary.never_fit()},
      {"others_first", summary.others_first()},
      {"line_full", summary.line_full()},
      {"too_many_open", summary.too_many_open()},
      {"began_at", to_rfc3339(any ? zero + summary.began() : zero)},
      {"duration_s", any ? seconds(summary.ended() - summary.began()) : 0.0},
      {"waited",
       {{"calls", waits.count()},
        {"p50_s", seconds(waits.quantile(0.5))},
        {"p99_s", seconds(waits.quantile(0.99))},
        {"max_s", seconds(waits.longest())}}},
  };
  const simulation::Upstream* upstream = engine.upstream();
  if (upstream != nullptr) {
    const auto& total = upstream->total();
    out["upstream"] = {{"counting", word_of(upstream->options().counting)},
                       {"phase_s", seconds(upstream->options().phase)},
                       {"jitter_s", seconds(upstream->options().jitter)},
                       {"seed", upstream->options().seed},
                       {"calls", total.taken + total.refused},
                       {"refused", total.refused}};
  }
  out["limits"] = ordered_json::array();
  for (const simulation::LimitUse& use : summary.limits(engine))
    out["limits"].push_back(limit_json(use, upstream != nullptr));
  return out;
}

std::string render_summary(const ordered_json& summary, const Look& look) {
  return calls_text(summary) + limits_text(summary, look);
}

}  // namespace weir::daemon
