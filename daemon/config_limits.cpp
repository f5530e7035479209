// [[projects.limits]] and [[consumers.limits]].
#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "daemon/config_sections.hpp"
#include "text/suggest.hpp"
#include "time/zone.hpp"

namespace weir::daemon {
namespace {

constexpr std::int64_t kMostAmount = 9'007'199'254'740'991;  // what every JSON reader keeps exact
constexpr double kMostDollars = 1e9;

bool is_pattern(std::string_view model) {
  return model.find_first_of("*?") != std::string_view::npos;
}

bool is_calendar(const quota::Window& window) {
  using quota::WindowKind;
  return window.kind == WindowKind::day || window.kind == WindowKind::week ||
         window.kind == WindowKind::month;
}

bool read_models(ConfigReader& reader, TomlTable& table, const LimitOwner& owner, quota::LimitSpec& limit) {
  if (!table.has("models")) {
    table.take("models");
    table.missing("models", "name the models that share the limit, [\"*\"] for all");
    return false;
  }
  if (!table.texts("models", limit.models)) return false;
  if (limit.models.empty()) {
    table.error("models", "models is empty: name the models that share the limit, [\"*\"] for all");
    return false;
  }
  bool good = true;
  for (std::size_t i = 0; i < limit.models.size(); ++i) {
    std::string& model = limit.models[i];
    const auto strange = [](char c) {
      return c == ',' || static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
    };
    if (std::any_of(model.begin(), model.end(), strange)) {
      reader.findings.error(
          table.place("models", i),
          fmt::format("model \"{}\" holds a comma or a blank: each model is a text of its own", model));
      good = false;
    } else if (!is_pattern(model) && !owner.provider.empty()) {
      model = reader.catalog.canonical(owner.provider, model);  // the name that calls are counted under
    }
  }
  return good;
}

bool read_metric(TomlTable& table, quota::LimitSpec& limit) {
  std::string word;
  if (!table.has("metric")) {
    table.take("metric");
    table.missing("metric", "say what it counts, as in metric = \"requests\"");
    return false;
  }
  std::size_t index = 0;
  static const std::vector<std::string_view> kWords = [] {
    std::vector<std::string_view> words;
    for (int i = 0; i <= static_cast<int>(Metric::in_flight); ++i)
      words.push_back(weir::to_string(static_cast<Metric>(i)));
    return words;
  }();
  if (!table.choice("metric", kWords, index)) return false;
  limit.metric = static_cast<Metric>(index);
  return true;
}

bool read_window(TomlTable& table, bool metric_known, quota::LimitSpec& limit) {
  const bool in_flight = metric_known && limit.metric == Metric::in_flight;
  if (!table.has("window")) {
    table.take("window");
    limit.window = {quota::WindowKind::in_flight, {}};
    if (in_flight || !metric_known) return in_flight;
    table.missing("window", "say over what it counts, as in window = \"day\" or window = \"60s\"");
    return false;
  }
  std::string word;
  if (!table.text("window", word)) return false;
  const auto window = quota::parse_window(word);
  if (!window) {
    table.error(
        "window",
        fmt::format("window \"{}\" must be \"day\", \"week\", \"month\" or a duration of 1s to 31d as "
                    "\"60s\", \"10m\", \"1h\"",
                    word));
    return false;
  }
  if (metric_known && in_flight != (window->kind == quota::WindowKind::in_flight)) {
    table.error("window", in_flight
                              ? "window must be left out for metric in_flight: a call counts while it is open"
                              : "window \"in_flight\" needs metric = \"in_flight\"");
    return false;
  }
  limit.window = *window;
  return metric_known;
}

bool read_amount(TomlTable& table, bool metric_known, quota::LimitSpec& limit) {
  if (!table.has("amount")) {
    table.take("amount");
    table.missing("amount", "say how much a window allows, as in amount = 20");
    return false;
  }
  double dollars = 0;
  if (!metric_known) {
    table.number("amount", dollars, 0, kMostAmount);  // what is wrong for every metric
    return false;
  }
  if (limit.metric != Metric::cost_usd) return table.integer("amount", limit.amount, 0, kMostAmount);
  if (!table.number("amount", dollars, 0, kMostDollars)) return false;
  limit.amount = std::llround(dollars * 1e9);
  return true;
}

bool read_zone(TomlTable& table, bool window_known, const LimitOwner& owner, quota::LimitSpec& limit) {
  const bool calendar = is_calendar(limit.window);
  if (window_known && calendar) limit.time_zone = owner.time_zone;
  std::string name;
  if (!table.text("time_zone", name)) return !table.has("time_zone");
  if (!Zone::find(name)) {
    table.error("time_zone",
                fmt::format("there is no time zone \"{}\": it takes IANA names as \"America/Los_Angeles\" or "
                            "\"UTC\"",
                            name));
    return false;
  }
  if (!window_known) return false;
  if (!calendar) {
    table.error(
        "time_zone",
        fmt::format("time_zone has no meaning for window \"{}\": only days, weeks and months have one",
                    to_string(limit.window)));
    return false;
  }
  limit.time_zone = std::move(name);
  return true;
}

}  // namespace

std::vector<quota::LimitSpec> read_limits(ConfigReader& reader, TomlTable& parent, const std::string& title,
                                          const LimitOwner& owner) {
  std::vector<quota::LimitSpec> limits;
  std::vector<int> lines;
  for (const toml::table* section : parent.tables("limits")) {
    TomlTable table(*section, title, reader.findings);
    quota::LimitSpec limit;
    limit.source = quota::Source::config;
    limit.consumer = owner.consumer;
    const bool models = read_models(reader, table, owner, limit);
    const bool metric = read_metric(table, limit);
    const bool window = read_window(table, metric, limit);
    const bool amount = read_amount(table, metric, limit);
    const bool zone = read_zone(table, window, owner, limit);
    table.boolean("enforce", limit.enforce);
    table.finish();
    if (!(models && metric && window && amount && zone)) continue;

    limit.name = quota::limit_name(limit.models, limit.metric, limit.window);
    if (!owner.consumer.empty()) limit.name += fmt::format("@{}", owner.consumer);
    const auto same = std::find_if(limits.begin(), limits.end(),
                                   [&](const auto& other) { return other.name == limit.name; });
    if (same != limits.end()) {
      reader.findings.error(table.place(),
                            fmt::format("limit \"{}\" is already given in line {}", limit.name,
                                        lines[static_cast<std::size_t>(same - limits.begin())]));
      continue;
    }
    lines.push_back(table.place().line);
    limits.push_back(std::move(limit));
  }
  return limits;
}

}  // namespace weir::daemon
