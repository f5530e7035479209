// Published limits and prices, as dated data. Embedded in the program at build time from catalog/*.json (its
// README.md has the format and the rules); immutable after load; any thread may read it. Questions about a
// provider or a tier that the data does not have get empty answers; malformed data throws at load.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catalog/price.hpp"
#include "quota/limit.hpp"

namespace weir::catalog {

namespace data {
struct Provider;
}

enum class Scope : std::uint8_t {
  model,     // one model, or each member of a family, with counters of its own
  shared,    // one counter for all models that match
  unlisted,  // what a source says of models without naming them; takes part in the strictest limits
};

// One published row.
struct Entry {
  std::string provider;
  std::string tier;
  std::string date;                 // "2026-09-04": since when it is known
  std::string source;               // where it was published; a vague date's own words stand here
  std::vector<std::string> models;  // one canonical name; the patterns of a shared pool; or "*"
  std::vector<quota::LimitSpec> limits;
  std::string note;  // what a reader should know, may be empty
  Scope scope = Scope::model;
  bool superseded = false;  // every number of it was given anew by a later table (up to as_of)
};

struct ModelLimits {
  std::string model;   // canonical name: aliases and suffixes resolved
  bool known = false;  // false: matched nothing; the strictest limits of provider and tier were taken
  std::vector<quota::LimitSpec> limits;  // its own, then those it shares with others
};

// A value; copies share the data.
class Catalog {
 public:
  // The data built into the program. Loaded once (a few ms), on first use.
  static const Catalog& embedded();
  // Parses catalog files: (name, text). Throws std::runtime_error "file: /json/pointer: what" if one is
  // malformed.
  static Catalog parse(const std::vector<std::pair<std::string, std::string>>& named_texts);

  [[nodiscard]] std::vector<std::string> providers() const;  // sorted
  [[nodiscard]] bool has_tier(std::string_view provider, std::string_view tier) const;
  [[nodiscard]] std::vector<std::string> tiers(std::string_view provider) const;
  // What it takes to be on the tier: "paid $100 and 3 days".
  [[nodiscard]] std::string tier_note(std::string_view provider, std::string_view tier) const;
  // Zone in which the provider's days end: "America/Los_Angeles" for gemini, "UTC" for most.
  [[nodiscard]] std::string time_zone(std::string_view provider) const;
  // Everything before the API's version: requests' paths begin with "/v1".
  [[nodiscard]] std::string base_url(std::string_view provider) const;

  // The name that counts: "models/" prefix dropped, aliases resolved, endings (-preview, -001, ...) collapsed
  // when that leads to a listed model. A name that matches nothing is returned as it came, without the
  // prefix. Some microseconds; callers keep the answer.
  [[nodiscard]] std::string canonical(std::string_view provider, std::string_view model) const;

  // What holds for a model by `as_of` (a day; "" = the latest): of each metric and window, what the latest
  // dated table up to then says of the model, and of each pool that it belongs to. An amount of 0 means: not
  // available on this tier.
  [[nodiscard]] ModelLimits limits(std::string_view provider, std::string_view tier, std::string_view as_of,
                                   std::string_view model) const;
  // Models listed for provider and tier by that date, canonical, sorted. A family's name is not a model.
  [[nodiscard]] std::vector<std::string> models(std::string_view provider, std::string_view tier,
                                                std::string_view as_of) const;
  // Every row known by that date, superseded ones too, for `weir catalog`; newest first.
  [[nodiscard]] std::vector<Entry> entries(std::string_view provider, std::string_view as_of) const;

  // The price in force on `day` ("2026-11-22"). Price::known is false if none is published.
  [[nodiscard]] Price price(std::string_view provider, std::string_view model, std::string_view day) const;
  [[nodiscard]] std::vector<Price> prices(std::string_view provider) const;

 private:
  [[nodiscard]] const data::Provider* find(std::string_view provider) const;

  std::shared_ptr<const std::vector<data::Provider>> providers_;  // sorted by name
};

}  // namespace weir::catalog
