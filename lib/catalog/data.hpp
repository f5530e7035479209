// The catalog's data as loaded: what the files say, names made canonical. Constant after load; any thread.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catalog/catalog.hpp"
#include "catalog/names.hpp"

namespace weir::catalog::data {

struct Bound {
  Metric metric = Metric::requests;
  quota::Window window;
  std::optional<std::int64_t> amount;  // nullopt: no such limit any more; an earlier one ends

  [[nodiscard]] bool same_place(const Bound& other) const {
    return metric == other.metric && window == other.window;
  }
};

struct Row {
  std::string tier;
  std::string date;
  std::string source;
  std::string note;
  Scope scope = Scope::model;
  std::vector<std::string> models;  // as in Entry
  std::vector<Bound> bounds;        // only what the source gives
};

struct Provider {
  std::string name;
  std::string base_url;
  std::string time_zone;
  bool unlisted_unlimited =
      false;  // models without a row have no limits of their own, instead of the strictest
  std::vector<std::pair<std::string, std::string>> tiers;  // name, note
  Names names;
  std::vector<Row> rows;  // newest first; of one day, families after models
  std::vector<Price> prices;
};

// Whether a table of that date is known by `as_of`; "" knows all.
inline bool known_by(std::string_view date, std::string_view as_of) {
  return as_of.empty() || date <= as_of;
}

}  // namespace weir::catalog::data

namespace weir::catalog {

// One data file. Throws std::runtime_error "file: /json/pointer: what".
data::Provider load_provider(const std::string& file, const std::string& text);

}  // namespace weir::catalog
