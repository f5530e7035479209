// Reads a data file; catalog/README.md describes the format.
#include <algorithm>

#include <fmt/format.h>

#include "catalog/data.hpp"
#include "catalog/node.hpp"

namespace weir::catalog {
namespace {

using data::Bound;
using data::Provider;
using data::Row;

constexpr int kNanoDigits = 9;          // cost limits: dollars to billionths
constexpr int kPicoPerTokenDigits = 6;  // prices: dollars a million tokens to trillionths a token
constexpr std::string_view kNone = "none";

// "requests/60s", "in_flight".
Bound place(const Node& at, std::string_view text) {
  const auto slash = text.find('/');
  const auto metric = parse_metric(text.substr(0, slash));
  const auto window = quota::parse_window(slash == text.npos ? text : text.substr(slash + 1));
  const bool in_flight = metric == Metric::in_flight;
  if (!metric || !window || in_flight != (slash == text.npos) ||
      in_flight != (window->kind == quota::WindowKind::in_flight)) {
    at.fail(
        fmt::format("\"{}\" is not a metric and window such as \"requests/60s\" or \"requests/day\"", text));
  }
  return {*metric, *window, std::nullopt};
}

// Appends what `value` says of `bound`'s place; null says nothing.
void add_bound(const Node& value, Bound bound, std::vector<Bound>& bounds) {
  if (value.value().is_null()) return;
  if (value.value().is_string()) {
    if (value.text() != kNone) value.fail("must be a number, null (not given) or \"none\" (no such limit)");
  } else {
    bound.amount = bound.metric == Metric::cost_usd ? value.scaled(kNanoDigits) : value.whole();
  }
  bounds.push_back(bound);
}

// A row's numbers: an array as in "columns", or an object by place.
std::vector<Bound> read_bounds(const Node& node, const std::vector<Bound>& columns) {
  std::vector<Bound> bounds;
  if (node.value().is_array()) {
    const auto values = node.elements();
    if (values.size() != columns.size()) {
      node.fail(fmt::format("has {} values, but \"columns\" has {}", values.size(), columns.size()));
    }
    for (std::size_t i = 0; i < values.size(); ++i) add_bound(values[i], columns[i], bounds);
  } else {
    for (const auto& [key, value] : node.members()) add_bound(value, place(value, key), bounds);
  }
  return bounds;
}

class Loader {
 public:
  Loader(const std::string& file, const nlohmann::json& document) : root_(file, document) {}

  Provider load() {
    root_.only({"provider", "base_url", "time_zone", "tiers", "note", "prefixes", "endings", "aliases",
                "families", "columns", "unlisted", "tables", "prices"});
    provider_.name = root_.at("provider").text();
    provider_.base_url = root_.at("base_url").text();
    provider_.time_zone = root_.at("time_zone").text();
    for (const auto& [tier, note] : root_.at("tiers").members())
      provider_.tiers.emplace_back(tier, note.text());
    if (root_.has("unlisted")) {
      if (root_.at("unlisted").text() != "no limits") {
        root_.at("unlisted").fail("must be \"no limits\" or absent");
      }
      provider_.unlisted_unlimited = true;
    }
    if (root_.has("columns")) {
      for (const Node& column : root_.at("columns").elements())
        columns_.push_back(place(column, column.text()));
    }
    load_names();
    for (const Node& table : root_.at("tables").elements()) load_table(table);
    std::stable_sort(provider_.rows.begin(), provider_.rows.end(), [&](const Row& a, const Row& b) {
      if (a.date != b.date) return a.date > b.date;
      return provider_.names.is_family(a.models[0]) < provider_.names.is_family(b.models[0]);
    });
    if (root_.has("prices")) load_prices(root_.at("prices"));
    return std::move(provider_);
  }

 private:
  // Rows are read under canonical names, and these depend on all names in the file: names come first.
  void load_names() {
    Names::Rules rules;
    if (root_.has("prefixes")) rules.prefixes = root_.at("prefixes").texts();
    if (root_.has("endings")) rules.endings = root_.at("endings").texts();
    if (root_.has("aliases")) {
      for (const auto& [alias, target] : root_.at("aliases").members()) rules.aliases[alias] = target.text();
      for (const auto& [alias, target] : root_.at("aliases").members()) {
        if (rules.aliases.contains(target.text())) target.fail("is an alias itself");
      }
    }
    if (root_.has("families")) {
      for (const auto& [name, members] : root_.at("families").members())
        rules.families[name] = members.texts();
    }
    std::vector<std::string> listed;
    for (const Node& table : root_.at("tables").elements()) {
      if (!table.has("limits")) continue;
      for (const auto& [model, row] : table.at("limits").members()) listed.push_back(model);
    }
    if (root_.has("prices")) {
      for (const Node& price : root_.at("prices").at("models").elements())
        listed.push_back(price.at("model").text());
    }
    provider_.names = Names(std::move(rules), listed);
  }

  void load_table(const Node& table) {
    table.only({"date", "dated", "tier", "source", "note", "limits", "shared", "unlisted"});
    Row row;
    row.date = table.at("date").day();
    row.tier = table.at("tier").text();
    if (std::none_of(provider_.tiers.begin(), provider_.tiers.end(),
                     [&](auto& t) { return t.first == row.tier; })) {
      table.at("tier").fail("is not one of \"tiers\"");
    }
    row.source = table.at("source").text();
    if (table.has("dated")) row.source += fmt::format(" (dated: {})", table.at("dated").text());
    row.note = table.text_or_empty("note");
    if (table.has("limits")) {
      for (const auto& [model, numbers] : table.at("limits").members()) {
        row.models = {provider_.names.canonical(model)};
        add_row(numbers, row, numbers);
      }
    }
    if (table.has("shared")) {
      row.scope = Scope::shared;
      for (const Node& pool : table.at("shared").elements()) {
        pool.only({"models", "limits", "note"});
        Row shared = row;
        shared.models = pool.at("models").texts();
        const auto note = pool.text_or_empty("note");
        if (!note.empty()) shared.note += (shared.note.empty() ? "" : "; ") + note;
        add_row(pool, std::move(shared), pool.at("limits"));
      }
    }
    if (table.has("unlisted")) {
      row.scope = Scope::unlisted;
      row.models = {"*"};
      add_row(table.at("unlisted"), row, table.at("unlisted"));
    }
  }

  // Two numbers of one day for one place would make the answer depend on the order of the file.
  void add_row(const Node& at, Row row, const Node& numbers) {
    row.bounds = read_bounds(numbers, columns_);
    for (const Row& other : provider_.rows) {
      if (other.date != row.date || other.tier != row.tier || other.scope != row.scope ||
          other.models != row.models) {
        continue;
      }
      for (const Bound& bound : row.bounds) {
        for (const Bound& there : other.bounds) {
          if (bound.same_place(there) && bound.amount != there.amount) {
            at.fail(fmt::format("contradicts another row of {} for {}; one of them needs a later date",
                                row.date, quota::limit_name(row.models, bound.metric, bound.window)));
          }
        }
      }
    }
    provider_.rows.push_back(std::move(row));
  }

  void load_prices(const Node& prices) {
    prices.only({"source", "note", "models"});
    const auto source = prices.at("source").text();
    for (const Node& node : prices.at("models").elements()) {
      Price price = read_price(node);
      price.source = source;
      for (const Price& other : provider_.prices) {
        if (other.model == price.model && other.valid_from == price.valid_from) {
          node.fail("the model has a price from that day already");
        }
      }
      provider_.prices.push_back(std::move(price));
    }
  }

  static Price read_price(const Node& node) {
    node.only({"model", "valid_from", "checked", "note", "free_of_charge", "input", "cached_input", "output",
               "above", "other"});
    const auto pico = [](const Node& at, std::string_view key, PicoUsd otherwise) {
      return at.has(key) ? at.at(key).scaled(kPicoPerTokenDigits) : otherwise;
    };
    Price price;
    price.model = node.at("model").text();
    if (node.has("valid_from")) price.valid_from = node.at("valid_from").day();
    if (node.has("checked")) price.checked = node.at("checked").day();
    if (node.has("free_of_charge")) {
      if (node.at("free_of_charge").value() != true) node.at("free_of_charge").fail("must be true or absent");
      node.only({"model", "valid_from", "checked", "note", "free_of_charge"});
      return price;
    }
    price.input = node.at("input").scaled(kPicoPerTokenDigits);
    price.cached_input = pico(node, "cached_input", price.input);
    price.output = pico(node, "output", 0);
    if (node.has("above")) {
      const Node above = node.at("above");
      above.only({"prompt_tokens", "input", "cached_input", "output"});
      price.long_context_from = above.at("prompt_tokens").whole();
      if (price.long_context_from == 0) above.at("prompt_tokens").fail("must be above 0");
      for (const auto key : {"input", "cached_input", "output"}) {
        if (node.has(key) != above.has(key)) {
          above.fail(fmt::format("\"{}\" must be given here and above, or nowhere", key));
        }
      }
      price.long_input = above.at("input").scaled(kPicoPerTokenDigits);
      price.long_cached_input = pico(above, "cached_input", price.long_input);
      price.long_output = pico(above, "output", 0);
    }
    if (node.has("other")) {
      for (const auto& [what, value] : node.at("other").members()) {
        price.other.emplace_back(what, value.scaled(kPicoPerTokenDigits));
      }
    }
    return price;
  }

  Node root_;
  std::vector<Bound> columns_;
  Provider provider_;
};

}  // namespace

data::Provider load_provider(const std::string& file, const std::string& text) {
  const auto document = parse_json(file, text);
  return Loader(file, document).load();
}

}  // namespace weir::catalog
