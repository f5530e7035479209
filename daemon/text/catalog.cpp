#include "daemon/text/catalog.hpp"

#include <algorithm>
#include <tuple>

#include <fmt/format.h>

#include "daemon/text/human.hpp"

namespace weir::daemon {
namespace {

// Numbers each source once.
class Footnotes {
 public:
  std::string mark(const std::string& source) {
    if (source.empty()) return {};
    auto found = std::find(sources_.begin(), sources_.end(), source);
    if (found == sources_.end()) found = sources_.insert(sources_.end(), source);
    return fmt::format("[{}]", found - sources_.begin() + 1);
  }
  [[nodiscard]] std::string text(const Look& look) const {
    std::string out;
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      out += paint(fmt::format("[{}] {}", i + 1, sources_[i]), Style::dim, look) + "\n";
    }
    return out;
  }

 private:
  std::vector<std::string> sources_;
};

std::string joined(const std::vector<std::string>& texts) {
  return fmt::format("{}", fmt::join(texts, ", "));
}

double amount_of(const quota::LimitSpec& limit) {
  const auto amount = static_cast<double>(limit.amount);
  return limit.metric == Metric::cost_usd ? amount / 1e9 : amount;
}

// Picodollars per token are millionths of a dollar per million tokens.
double per_million(std::int64_t picodollars) {
  return static_cast<double>(picodollars) / 1e6;
}

std::string price_text(std::int64_t picodollars) {
  return human_dollars(per_million(picodollars));
}

std::string limits_table(const CatalogView& view, const Look& look) {
  Footnotes notes;
  std::vector<std::vector<Cell>> table;
  for (const CatalogRow& row : view.rows) {
    const Style style = row.superseded ? Style::dim : Style::plain;
    const std::string since = row.superseded ? row.entry.date + " superseded" : row.entry.date;
    table.push_back({{row.entry.tier, style},
                     {joined(row.entry.models), style},
                     {limits_text(row.entry.limits), style},
                     {since, style},
                     {notes.mark(row.entry.source), Style::dim}});
  }
  const std::vector<Column> columns = {
      {"TIER"}, {"MODELS", false, 0, 16}, {"LIMITS", false, 0, 24}, {"SINCE"}, {"SOURCE"}};
  return render_table(columns, table, look) + notes.text(look);
}

std::string price_table(const CatalogView& view, const Look& look) {
  Footnotes notes;
  std::vector<std::vector<Cell>> table;
  for (const catalog::Price& price : view.prices) {
    const auto add = [&](const std::string& model, std::int64_t input, std::int64_t cached,
                         std::int64_t output) {
      table.push_back({{model},
                       {price_text(input)},
                       {price_text(cached)},
                       {price_text(output)},
                       {price.valid_from.empty() ? "always" : price.valid_from},
                       {price.checked, Style::dim},
                       {notes.mark(price.source), Style::dim}});
    };
    add(price.model, price.input, price.cached_input, price.output);
    if (price.long_context_from > 0) {
      add(fmt::format("{} over {}", price.model, human_count(price.long_context_from)), price.long_input,
          price.long_cached_input, price.long_output);
    }
  }
  const std::vector<Column> columns = {
      {"MODEL", false, 0, 16}, {"INPUT", true}, {"CACHED", true}, {"OUTPUT", true}, {"FROM"},
      {"CHECKED", false, 1},   {"SOURCE"}};
  return render_table(columns, table, look) + notes.text(look);
}

}  // namespace

std::string limits_text(const std::vector<quota::LimitSpec>& limits) {
  std::string out;
  for (const quota::LimitSpec& limit : limits) {
    if (!out.empty()) out += ", ";
    const auto metric = weir::to_string(limit.metric);
    out += fmt::format("{} {}", human_amount(metric, amount_of(limit)), metric);
    if (limit.window.kind != quota::WindowKind::in_flight) out += "/" + quota::to_string(limit.window);
  }
  return out.empty() ? "none" : out;
}

std::vector<CatalogRow> select_entries(std::vector<catalog::Entry> entries, const std::string& tier,
                                       bool all) {
  std::erase_if(entries, [&](const auto& entry) { return !tier.empty() && entry.tier != tier; });
  std::stable_sort(entries.begin(), entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.tier, a.models, b.date) < std::tie(b.tier, b.models, a.date);
  });
  std::vector<CatalogRow> rows;
  for (catalog::Entry& entry : entries) {
    const bool superseded =
        !rows.empty() && rows.back().entry.tier == entry.tier && rows.back().entry.models == entry.models;
    if (all || !superseded) rows.push_back({std::move(entry), superseded});
  }
  return rows;
}

std::string render_catalog(const CatalogView& view, const Look& look) {
  std::string out = paint(fmt::format("{}: limits", view.provider), Style::bold, look) + "\n";
  out += view.rows.empty() ? "none published\n" : limits_table(view, look);
  if (view.prices.empty()) return out;
  out += "\n" +
         paint(fmt::format("{}: prices, dollars per million tokens", view.provider), Style::bold, look) +
         "\n";
  return out + price_table(view, look);
}

nlohmann::ordered_json catalog_json(const std::vector<CatalogView>& views) {
  auto entries = nlohmann::ordered_json::array();
  auto prices = nlohmann::ordered_json::array();
  for (const CatalogView& view : views) {
    for (const CatalogRow& row : view.rows) {
      auto limits = nlohmann::ordered_json::array();
      for (const quota::LimitSpec& limit : row.entry.limits) {
        nlohmann::ordered_json item = {{"limit", limit.name},
                                       {"models", limit.models},
                                       {"metric", weir::to_string(limit.metric)},
                                       {"window", quota::to_string(limit.window)}};
        if (limit.metric == Metric::cost_usd) {
          item["amount"] = amount_of(limit);
        } else {
          item["amount"] = limit.amount;
        }
        if (!limit.time_zone.empty()) item["time_zone"] = limit.time_zone;
        limits.push_back(std::move(item));
      }
      entries.push_back({{"provider", row.entry.provider},
                         {"tier", row.entry.tier},
                         {"models", row.entry.models},
                         {"published", row.entry.date},
                         {"source", row.entry.source},
                         {"superseded", row.superseded},
                         {"note", row.entry.note},
                         {"limits", std::move(limits)}});
    }
    for (const catalog::Price& price : view.prices) {
      nlohmann::ordered_json item = {{"provider", view.provider},
                                     {"model", price.model},
                                     {"valid_from", price.valid_from},
                                     {"source", price.source},
                                     {"checked", price.checked},
                                     {"input_usd_per_million", per_million(price.input)},
                                     {"cached_input_usd_per_million", per_million(price.cached_input)},
                                     {"output_usd_per_million", per_million(price.output)}};
      if (price.long_context_from > 0) {
        item["long_context_from"] = price.long_context_from;
        item["long_input_usd_per_million"] = per_million(price.long_input);
        item["long_cached_input_usd_per_million"] = per_million(price.long_cached_input);
        item["long_output_usd_per_million"] = per_million(price.long_output);
      }
      prices.push_back(std::move(item));
    }
  }
  return {{"entries", std::move(entries)}, {"prices", std::move(prices)}};
}

}  // namespace weir::daemon
