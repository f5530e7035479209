#include "catalog/catalog.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>
#include <tuple>

#include <fmt/format.h>

#include "catalog/data.hpp"
#include "catalog/embedded.hpp"

namespace weir::catalog {
namespace {

using data::Bound;
using data::known_by;
using data::Provider;
using data::Row;

// A number in force, and the row that gave it.
struct Given {
  const Bound* bound;
  const Row* row;
};

// By metric and window, in that order.
using Place = std::tuple<Metric, quota::WindowKind, Micros>;
using GivenByPlace = std::map<Place, Given>;

Place place_of(const Bound& bound) {
  return {bound.metric, bound.window.kind, bound.window.length};
}

// One question: a provider's tier by a date.
struct View {
  const Provider& provider;
  std::string_view tier;
  std::string_view as_of;

  // Calls `visit` with the tier's rows of that scope, newest first.
  template <class Visit>
  void each_row(Scope scope, Visit visit) const {
    for (const Row& row : provider.rows) {
      if (row.scope == scope && row.tier == tier && known_by(row.date, as_of)) visit(row);
    }
  }
};

// Rows come newest first, so whoever came first stays: a later table that does not give a number leaves the
// older in force.
void keep_newest(const Row& row, GivenByPlace& given) {
  for (const Bound& bound : row.bounds) given.try_emplace(place_of(bound), Given{&bound, &row});
}

quota::LimitSpec spec(const Provider& provider, const std::vector<std::string>& models, const Given& given) {
  quota::LimitSpec limit;
  limit.name = quota::limit_name(models, given.bound->metric, given.bound->window);
  limit.models = models;
  limit.metric = given.bound->metric;
  limit.window = given.bound->window;
  limit.amount = *given.bound->amount;
  const auto kind = given.bound->window.kind;
  const bool calendar = kind != quota::WindowKind::sliding && kind != quota::WindowKind::in_flight;
  if (calendar) limit.time_zone = provider.time_zone;
  limit.source = quota::Source::catalog;
  limit.published = given.row->date;
  return limit;
}

void append(const Provider& provider, const std::vector<std::string>& models, const GivenByPlace& given,
            std::vector<quota::LimitSpec>& limits) {
  for (const auto& [place, one] : given) {
    if (one.bound->amount) limits.push_back(spec(provider, models, one));
  }
}

// nullopt: no row names the model.
std::optional<GivenByPlace> own(const View& view, std::string_view model) {
  std::optional<GivenByPlace> given;
  view.each_row(Scope::model, [&](const Row& row) {
    if (!view.provider.names.covers(row.models[0], model)) return;
    if (!given) given.emplace();
    keep_newest(row, *given);
  });
  return given;
}

// Names of the tier's rows, families too.
std::set<std::string> listed(const View& view) {
  std::set<std::string> names;
  view.each_row(Scope::model, [&](const Row& row) { names.insert(row.models[0]); });
  return names;
}

// The smallest amount of each metric and window. Zeros are left out: they say that one model is not to be had
// on the tier, and would turn away every model that the catalog has not heard of.
GivenByPlace strictest(const View& view) {
  GivenByPlace given;
  const auto add = [&](const GivenByPlace& more) {
    for (const auto& [place, one] : more) {
      if (one.bound->amount.value_or(0) == 0) continue;
      const auto [at, fresh] = given.try_emplace(place, one);
      if (!fresh && *one.bound->amount < *at->second.bound->amount) at->second = one;
    }
  };
  for (const std::string& model : listed(view)) add(*own(view, model));
  GivenByPlace unnamed;
  view.each_row(Scope::unlisted, [&](const Row& row) { keep_newest(row, unnamed); });
  add(unnamed);
  return given;
}

// One counter for each list of patterns.
void append_shared(const View& view, std::string_view model, std::vector<quota::LimitSpec>& limits) {
  std::map<std::vector<std::string>, GivenByPlace> pools;
  view.each_row(Scope::shared, [&](const Row& row) {
    const bool matches = std::any_of(row.models.begin(), row.models.end(), [&](const std::string& pattern) {
      return quota::glob_match(pattern, model);
    });
    if (matches) keep_newest(row, pools[row.models]);
  });
  for (const auto& [models, given] : pools) append(view.provider, models, given, limits);
}

bool is_superseded(const View& view, const Row& row) {
  const auto given_later = [&](const Bound& bound) {
    bool later = false;
    view.each_row(row.scope, [&](const Row& other) {
      later = later || (other.date > row.date && other.models == row.models &&
                        std::any_of(other.bounds.begin(), other.bounds.end(),
                                    [&](const Bound& there) { return bound.same_place(there); }));
    });
    return later;
  };
  return !row.bounds.empty() && std::all_of(row.bounds.begin(), row.bounds.end(), given_later);
}

}  // namespace

const Catalog& Catalog::embedded() {
  static const Catalog catalog = parse(embedded_files());
  return catalog;
}

Catalog Catalog::parse(const std::vector<std::pair<std::string, std::string>>& named_texts) {
  auto providers = std::make_shared<std::vector<Provider>>();
  for (const auto& [file, text] : named_texts) {
    providers->push_back(load_provider(file, text));
    for (std::size_t i = 0; i + 1 < providers->size(); ++i) {
      if ((*providers)[i].name == providers->back().name) {
        throw std::runtime_error(fmt::format("{}: /provider: another file has this provider", file));
      }
    }
  }
  std::sort(providers->begin(), providers->end(), [](auto& a, auto& b) { return a.name < b.name; });
  Catalog catalog;
  catalog.providers_ = std::move(providers);
  return catalog;
}

const Provider* Catalog::find(std::string_view provider) const {
  if (!providers_) return nullptr;
  const auto at =
      std::find_if(providers_->begin(), providers_->end(), [&](auto& p) { return p.name == provider; });
  return at == providers_->end() ? nullptr : &*at;
}

std::vector<std::string> Catalog::providers() const {
  std::vector<std::string> names;
  if (!providers_) return names;
  for (const Provider& provider : *providers_) names.push_back(provider.name);
  return names;
}

bool Catalog::has_tier(std::string_view provider, std::string_view tier) const {
  const auto names = tiers(provider);
  return std::find(names.begin(), names.end(), tier) != names.end();
}

std::vector<std::string> Catalog::tiers(std::string_view provider) const {
  std::vector<std::string> names;
  if (const Provider* found = find(provider)) {
    for (const auto& [name, note] : found->tiers) names.push_back(name);
  }
  return names;
}

std::string Catalog::tier_note(std::string_view provider, std::string_view tier) const {
  if (const Provider* found = find(provider)) {
    for (const auto& [name, note] : found->tiers) {
      if (name == tier) return note;
    }
  }
  return {};
}

std::string Catalog::time_zone(std::string_view provider) const {
  const Provider* found = find(provider);
  return found ? found->time_zone : std::string();
}

std::string Catalog::base_url(std::string_view provider) const {
  const Provider* found = find(provider);
  return found ? found->base_url : std::string();
}

std::string Catalog::canonical(std::string_view provider, std::string_view model) const {
  const Provider* found = find(provider);
  return found ? found->names.canonical(model) : std::string(model);
}

ModelLimits Catalog::limits(std::string_view provider, std::string_view tier, std::string_view as_of,
                            std::string_view model) const {
  ModelLimits result;
  result.model = canonical(provider, model);
  const Provider* found = find(provider);
  if (!found) return result;
  const View view{*found, tier, as_of};
  const auto given = own(view, result.model);
  result.known = given || found->unlisted_unlimited;
  append(*found, {result.model},
         given          ? *given
         : result.known ? GivenByPlace()
                        : strictest(view),
         result.limits);
  append_shared(view, result.model, result.limits);
  return result;
}

std::vector<std::string> Catalog::models(std::string_view provider, std::string_view tier,
                                         std::string_view as_of) const {
  const Provider* found = find(provider);
  if (!found) return {};
  auto names = listed({*found, tier, as_of});
  std::erase_if(names, [&](const std::string& name) { return found->names.is_family(name); });
  return {names.begin(), names.end()};
}

std::vector<Entry> Catalog::entries(std::string_view provider, std::string_view as_of) const {
  std::vector<Entry> entries;
  const Provider* found = find(provider);
  if (!found) return entries;
  for (const Row& row : found->rows) {
    if (!known_by(row.date, as_of)) continue;
    Entry entry{found->name, row.tier, row.date, row.source, row.models, {}, row.note, row.scope, false};
    for (const Bound& bound : row.bounds) {
      if (bound.amount) entry.limits.push_back(spec(*found, row.models, {&bound, &row}));
    }
    entry.superseded = is_superseded({*found, row.tier, as_of}, row);
    entries.push_back(std::move(entry));
  }
  return entries;
}

Price Catalog::price(std::string_view provider, std::string_view model, std::string_view day) const {
  const auto newest = [&](const Provider& from, auto matches) {
    const Price* best = nullptr;
    for (const Price& price : from.prices) {
      if (price.valid_from.compare(day) <= 0 && matches(price) &&
          (!best || best->valid_from <= price.valid_from)) {
        best = &price;
      }
    }
    return best;
  };
  Price none;
  none.model = canonical(provider, model);
  none.known = false;
  const Provider* found = find(provider);
  if (!found) return none;
  // A preview may cost other than the model that it became: the spelling nearest to the asked one is
  // first.
  for (const std::string_view spelling : found->names.spellings(model)) {
    if (const Price* price = newest(*found, [&](const Price& p) { return p.model == spelling; })) {
      return *price;
    }
  }
  const Price* price = newest(*found, [&](const Price& p) { return p.model == none.model; });
  if (!price) {
    price = newest(*found, [&](const Price& p) { return found->names.canonical(p.model) == none.model; });
  }
  if (!price) {
    price = newest(*found, [&](const Price& p) { return found->names.covers(p.model, none.model); });
  }
  return price ? *price : none;
}

std::vector<Price> Catalog::prices(std::string_view provider) const {
  const Provider* found = find(provider);
  return found ? found->prices : std::vector<Price>();
}

}  // namespace weir::catalog
