// `weir catalog`: published limits and prices, as tables and as JSON.
#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catalog/catalog.hpp"
#include "daemon/text/table.hpp"

namespace weir::daemon {

struct CatalogRow {
  catalog::Entry entry;
  bool superseded = false;  // a later row holds for the same models
};

struct CatalogView {
  std::string provider;
  std::vector<CatalogRow> rows;
  std::vector<catalog::Price> prices;
};

// What holds of `entries` (any order): of the rows for the same tier and models, those but the latest are
// superseded, and left out unless `all`. `tier` "" = every tier.
std::vector<CatalogRow> select_entries(std::vector<catalog::Entry> entries, const std::string& tier,
                                       bool all);

// Pure. Sources are numbered and listed below their table.
std::string render_catalog(const CatalogView& view, const Look& look);
nlohmann::ordered_json catalog_json(const std::vector<CatalogView>& views);

// "5 requests/60s, 250k input_tokens/60s, 20 requests/day"
std::string limits_text(const std::vector<quota::LimitSpec>& limits);

}  // namespace weir::daemon
