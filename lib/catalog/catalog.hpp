// Published limits and prices, as dated data. Embedded in the program at build time from catalog/*.json; immutable after
// load; any thread may read it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "quota/limit.hpp"

namespace weir::catalog {

// One published row: the limits of one model, or of a group of models that share a counter.
struct Entry {
  std::string provider;
  std::string tier;
  std::string date;                 // "2026-09-04": since when it is known
  std::string source;               // where it was published
  std::vector<std::string> models;  // one model; or the patterns of a shared pool
  std::vector<quota::LimitSpec> limits;
  std::string note;  // what a reader should know, may be empty
};

// Prices of one model from one day on, in billionths of a dollar per MILLION tokens would lose nothing; kept as picodollars
// per token. Output prices include thinking.
struct Price {
  std::string model;
  std::string valid_from;  // "" = always
  std::string source;
  std::string checked;
  std::int64_t input = 0;         // picodollars per token
  std::int64_t cached_input = 0;  // equals input where no cache price is published
  std::int64_t output = 0;
  std::int64_t long_context_from = 0;  // prompt tokens above which the long_ prices hold for the whole call; 0: never
  std::int64_t long_input = 0;
  std::int64_t long_cached_input = 0;
  std::int64_t long_output = 0;
  bool known = true;  // false: no price is published; everything costs 0

  // Rounded half up once, at the end.
  [[nodiscard]] NanoUsd cost(const Usage& usage) const;
};

struct ModelLimits {
  std::string model;   // canonical name: aliases and suffixes resolved
  bool known = false;  // false: matched nothing; the strictest limits of provider and tier were taken
  std::vector<quota::LimitSpec> limits;  // its own, and those it shares with others
};

class Catalog {
 public:
  // The data built into the program. Loaded once (a few ms), on first use.
  static const Catalog& embedded();
  // Parses catalog files' texts (tests). Throws std::runtime_error naming file and place if one is malformed.
  static Catalog parse(const std::vector<std::pair<std::string, std::string>>& named_texts);

  [[nodiscard]] std::vector<std::string> providers() const;
  [[nodiscard]] bool has_tier(std::string_view provider, std::string_view tier) const;
  [[nodiscard]] std::vector<std::string> tiers(std::string_view provider) const;
  // Zone in which the provider's days end: "America/Los_Angeles" for gemini, "UTC" for most.
  [[nodiscard]] std::string time_zone(std::string_view provider) const;
  [[nodiscard]] std::string base_url(std::string_view provider) const;

  // The name that counts: "models/" prefix dropped, aliases resolved, -preview and -customtools suffixes collapsed when that leads to
  // a listed model. A name that matches nothing is returned as it came (without "models/").
  [[nodiscard]] std::string canonical(std::string_view provider, std::string_view model) const;

  // What holds for a model by `as_of` ("" = the latest): of each model's rows the latest dated one up to then.
  [[nodiscard]] ModelLimits limits(std::string_view provider, std::string_view tier, std::string_view as_of,
                                   std::string_view model) const;
  // Models listed for provider and tier by that date, canonical, sorted.
  [[nodiscard]] std::vector<std::string> models(std::string_view provider, std::string_view tier,
                                                std::string_view as_of) const;
  // Every row, superseded ones too, for `weir catalog`; newest first.
  [[nodiscard]] std::vector<Entry> entries(std::string_view provider, std::string_view as_of) const;

  // The price in force on `day` ("2026-11-22"). Price::known is false if none is published.
  [[nodiscard]] Price price(std::string_view provider, std::string_view model, std::string_view day) const;
  [[nodiscard]] std::vector<Price> prices(std::string_view provider) const;

 private:
  // (left to the implementation)
};

}  // namespace weir::catalog
