// Walks the sources that the catalog was written from (tests/data/catalog) and looks for every number of
// them, by questions that a user could ask.
#include <cmath>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "catalog/catalog.hpp"
#include "time/zone.hpp"

namespace weir::catalog {
namespace {

using nlohmann::json;

json read(const std::string& name) {
  std::ifstream file(std::string(WEIR_TEST_DATA "/catalog/") + name);
  REQUIRE(file);
  return json::parse(file);
}

// The day that stands for a source's date: the table in catalog/README.md.
std::string day_of(const json& table) {
  static const std::map<std::string, std::string> kDays = {
      {"2024-11", "2024-11-01"},
      {"2025-05", "2025-05-01"},
      {"2025-09", "2025-09-01"},
      {"2025-11-late", "2025-11-21"},
      {"2026 (seen in 429 bodies)", "2026-01-01"},
      {"undated, describes late 2024/2025", "2024-12-01"},
      {"undated, after Gemini 3 Flash preview", "2025-12-17"},
      {"undated, after December 2025 (values of the cut)", "2025-12-07"},
      {"2026 (after 2025-12-07)", "2026-01-01"},
      {"2026", "2026-01-01"},
  };
  const auto date = table.at("date").get<std::string>();
  const auto found = kDays.find(date);
  return found == kDays.end() ? date : found->second;
}

// What holds on the table's own day must be what the table says.
void check(const std::string& provider, const json& table, const std::string& model, const std::string& limit,
           const json& amount) {
  INFO(table.at("source"), " ", model, " ", limit);
  const auto held =
      Catalog::embedded().limits(provider, table.at("tier").get<std::string>(), day_of(table), model);
  for (const auto& spec : held.limits) {
    if (spec.name != limit && spec.name != held.model + "/" + limit) continue;
    CHECK(spec.amount == amount.get<std::int64_t>());
    CHECK(spec.published <= day_of(table));
    return;
  }
  FAIL_CHECK("no such limit");
}

void check_rows(const json& table) {
  static const std::vector<std::string> kColumns = {"requests/60s", "input_tokens/60s", "requests/day"};
  if (!table.contains("limits")) return;
  for (const auto& [model, row] : table.at("limits").items()) {
    CHECK(Catalog::embedded()
              .limits("gemini", table.at("tier").get<std::string>(), day_of(table), model)
              .known);
    for (std::size_t i = 0; i < kColumns.size(); ++i) {
      if (!row.at(i).is_null()) check("gemini", table, model, kColumns[i], row.at(i));
    }
  }
}

TEST_CASE("every number of the dated tables is found by its date") {
  const auto limits = read("limits.json");
  REQUIRE(limits.at("snapshots").size() > 5);
  for (const auto& table : limits.at("snapshots")) {
    check_rows(table);
    if (table.contains("tpd")) {
      for (const auto& [model, amount] : table.at("tpd").items()) {
        check("gemini", table, model, "input_tokens/day", amount);
      }
    }
    if (table.contains("live_sessions")) {
      check("gemini", table, "gemini-2.5-flash-live", "gemini-*live*/in_flight", table.at("live_sessions"));
    }
  }
}

TEST_CASE("every number of the project's documents is found by its date") {
  static const std::map<std::string, std::pair<std::string, std::string>> kFamilies = {
      {"gemini-flash", {"gemini-2.0-flash", "gemini-*flash*"}},
      {"gemini-pro", {"gemini-1.5-pro", "gemini-*pro*"}},
      {"gemma", {"gemma-3-27b-it", "gemma-*"}}};
  const auto limits = read("limits.json");
  for (const auto& table : limits.at("collected_documents")) {
    check_rows(table);
    if (table.contains("family_limits_per_day")) {
      for (const auto& [family, numbers] : table.at("family_limits_per_day").items()) {
        for (const auto& [metric, amount] : numbers.items()) {
          check("gemini", table, kFamilies.at(family).first,
                kFamilies.at(family).second + "/" + metric + "/day", amount);
        }
      }
    }
    if (table.contains("paid_only")) {
      for (const auto& model : table.at("paid_only"))
        check("gemini", table, model.get<std::string>(), "requests/day", 0);
    }
    if (table.contains("shared")) {
      const auto text = table.at("shared").get<std::string>();
      REQUIRE(text.find("share 1500 requests a day") != std::string::npos);
      check("gemini", table, "gemini-1.5-pro", "gemini-*/requests/day", 1500);
      if (text.find("60 requests a minute") != std::string::npos) {
        check("gemini", table, "gemini-1.5-pro", "gemini-*/requests/60s", 60);
      }
    }
    if (table.contains("others")) {
      const auto& others = table.at("others");
      const auto& days = others.at("openrouter").at("requests_per_day");
      auto paid = table;
      paid["tier"] = "tier1";
      check("openrouter", table, "a/b:free", "*:free/requests/day", days.at(0));
      check("openrouter", paid, "a/b:free", "*:free/requests/day", days.at(1));
      check("groq", table, "any", "requests/day", others.at("groq").at("requests_per_day"));
      check("groq", table, "any", "total_tokens/day", others.at("groq").at("tokens_per_day").at(0));
      CHECK(others.at("groq").at("tokens_per_day").at(1) == 1000000);
      CHECK(Catalog::embedded().entries("groq", day_of(table)).at(0).note.find("1,000,000") !=
            std::string::npos);
    }
  }
}

TEST_CASE("no row is invented: every gemini row of a table's day is in a source of that day") {
  const auto limits = read("limits.json");
  std::set<std::string> given;  // day, tier, canonical model
  const auto& catalog = Catalog::embedded();
  for (const auto* part : {"snapshots", "collected_documents"}) {
    for (const auto& table : limits.at(part)) {
      const auto at = day_of(table) + "/" + table.at("tier").get<std::string>() + "/";
      for (const auto* key : {"limits", "paid_only"}) {
        if (!table.contains(key)) continue;
        for (const auto& [name, value] : table.at(key).items()) {
          given.insert(at + catalog.canonical("gemini", value.is_string() ? value.get<std::string>() : name));
        }
      }
    }
  }
  given.insert("2025-12-07/free/gemini-2.5-pro");  // the notes' "2.5 Pro free: none", see catalog/README.md
  for (const auto& entry : catalog.entries("gemini", "")) {
    if (entry.scope != Scope::model) continue;
    INFO(entry.date, " ", entry.models[0]);
    CHECK(given.contains(entry.date + "/" + entry.tier + "/" + entry.models[0]));
  }
}

TEST_CASE("what a tier may spend in ten minutes is found, and its conditions") {
  const auto limits = read("limits.json");
  const auto& spend = limits.at("spend_per_10_minutes_usd");
  for (const auto& tier : Catalog::embedded().tiers("gemini")) {
    json table = {{"date", spend.at("since")}, {"tier", tier}, {"source", "spend"}};
    if (spend.at(tier).is_null()) continue;
    check("gemini", table, "gemini-2.5-pro", "*/cost_usd/10m",
          spend.at(tier).get<std::int64_t>() * 1'000'000'000);
    CHECK(Catalog::embedded().tier_note("gemini", tier) == limits.at("tiers").at(tier));
  }
}

PicoUsd pico(const json& dollars) {
  return std::llround(dollars.get<double>() * 1e6);
}

TEST_CASE("every price is found") {
  const auto prices = read("prices.json");
  std::size_t rows = 0;
  for (const auto& model : prices.at("models")) {
    auto versions = model.at("prices");
    if (!versions.is_array()) versions = json::array({{{"prices", versions}}});
    for (const auto& version : versions) {
      ++rows;
      const auto from = version.contains("constraint")
                            ? version.at("constraint").at("start_date").get<std::string>()
                            : std::string();
      const auto id = model.at("id").get<std::string>();
      INFO(id, " ", from);
      const auto price = Catalog::embedded().price("gemini", id, from.empty() ? "2026-11-22" : from);
      CHECK(price.known);
      CHECK(price.model == id);
      CHECK(price.valid_from == from);
      CHECK(price.source == prices.at("source"));
      CHECK(price.checked == (model.at("checked").is_null() ? "" : model.at("checked").get<std::string>()));
      std::map<std::string, PicoUsd> held = {{"input_mtok", price.input},
                                             {"cache_read_mtok", price.cached_input},
                                             {"output_mtok", price.output}};
      const std::map<std::string, PicoUsd> held_long = {{"input_mtok", price.long_input},
                                                        {"cache_read_mtok", price.long_cached_input},
                                                        {"output_mtok", price.long_output}};
      for (const auto& [what, amount] : price.other) held[what + "_mtok"] = amount;
      for (const auto& item : version.at("prices").items()) {
        const auto& what = item.key();
        const auto& amount = item.value();
        INFO(what);
        REQUIRE(held.contains(what));
        CHECK(held.at(what) == pico(amount.is_object() ? amount.at("base") : amount));
        if (!amount.is_object()) continue;
        REQUIRE(amount.at("tiers").size() == 1);
        CHECK(price.long_context_from == amount.at("tiers").at(0).at("start"));
        CHECK(held_long.at(what) == pico(amount.at("tiers").at(0).at("price")));
      }
    }
  }
  CHECK(rows == Catalog::embedded().prices("gemini").size());
}

TEST_CASE("every provider's zone exists") {
  for (const auto& provider : Catalog::embedded().providers()) {
    CHECK(Zone::find(Catalog::embedded().time_zone(provider)));
  }
}

}  // namespace
}  // namespace weir::catalog
