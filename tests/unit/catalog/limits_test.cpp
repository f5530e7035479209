#include <map>
#include <optional>
#include <set>

#include <doctest/doctest.h>

#include "catalog/catalog.hpp"

namespace weir::catalog {
namespace {

ModelLimits limits(std::string_view tier, std::string_view as_of, std::string_view model) {
  return Catalog::embedded().limits("gemini", tier, as_of, model);
}

std::optional<quota::LimitSpec> find(const ModelLimits& of, std::string_view name) {
  for (const auto& limit : of.limits) {
    if (limit.name == name) return limit;
  }
  return std::nullopt;
}

// -1: no such limit.
std::int64_t amount(const ModelLimits& of, std::string_view name) {
  const auto limit = find(of, name);
  return limit ? limit->amount : -1;
}

TEST_CASE("a free Flash model has its own limits and those that it shares") {
  const auto flash = limits("free", "", "models/gemini-2.5-flash");
  CHECK(flash.known);
  CHECK(flash.model == "gemini-2.5-flash");
  std::map<std::string, std::int64_t> amounts;
  for (const auto& limit : flash.limits) amounts[limit.name] = limit.amount;
  CHECK(amounts == std::map<std::string, std::int64_t>{{"gemini-2.5-flash/requests/60s", 5},
                                                       {"gemini-2.5-flash/requests/day", 20},
                                                       {"gemini-2.5-flash/input_tokens/60s", 250000},
                                                       {"gemini-*/requests/60s", 60},
                                                       {"gemini-*/requests/day", 1500},
                                                       {"gemini-*flash*/total_tokens/day", 15000000}});
  CHECK(amounts.size() == flash.limits.size());
}

TEST_CASE("a limit says where it comes from and how it counts") {
  const auto flash = limits("free", "", "gemini-2.5-flash");
  const auto day = find(flash, "gemini-2.5-flash/requests/day").value();
  CHECK(day.published == "2026-09-04");
  CHECK(day.source == quota::Source::catalog);
  CHECK(day.enforce);
  CHECK(day.time_zone == "America/Los_Angeles");
  CHECK(day.window == quota::Window{quota::WindowKind::day, {}});
  CHECK(day.models == std::vector<std::string>{"gemini-2.5-flash"});
  const auto minute = find(flash, "gemini-2.5-flash/input_tokens/60s").value();
  CHECK(minute.window == quota::Window{quota::WindowKind::sliding, std::chrono::seconds(60)});
  CHECK(minute.metric == Metric::input_tokens);
  CHECK(minute.time_zone.empty());
}

TEST_CASE("where tables contradict, the latest is the default and older ones can be had by date") {
  const auto day = [](std::string_view as_of) {
    return amount(limits("free", as_of, "gemini-2.5-flash"), "gemini-2.5-flash/requests/day");
  };
  CHECK(day("") == 20);
  CHECK(day("2026-11-22") == 20);
  CHECK(day("2026-01-24") == 500);   // collected document 004
  CHECK(day("2025-12-31") == 1500);  // collected document 001
  CHECK(day("2025-12-07") == 20);    // the cut
  CHECK(day("2025-12-06") == 250);
  CHECK(day("2025-06-01") == 500);  // gemini-2.5-flash-preview-04-17
  CHECK(amount(limits("free", "", "gemini-2.5-pro"), "gemini-2.5-pro/requests/day") == 25);
  CHECK(amount(limits("free", "2025-12-10", "gemini-2.5-pro"), "gemini-2.5-pro/requests/day") == 0);
}

TEST_CASE("a table that does not give a number leaves the last known one in force") {
  // The document of 2026 gives requests only; tokens a minute are the last that a table gave.
  const auto free = limits("free", "", "gemini-2.5-pro");
  CHECK(amount(free, "gemini-2.5-pro/requests/60s") == 5);
  CHECK(amount(free, "gemini-2.5-pro/input_tokens/60s") == 32000);
  CHECK(find(free, "gemini-2.5-pro/input_tokens/60s")->published == "2025-12-17");
  const auto paid = limits("tier1", "", "gemini-3-pro-preview");
  CHECK(amount(paid, "gemini-3-pro/requests/day") == 250);  // a 429 of 2026
  CHECK(amount(paid, "gemini-3-pro/requests/60s") == 50);   // the table of 2025
}

TEST_CASE("a number that no table ever gave is no limit") {
  const auto lite = limits("tier1", "", "gemini-2.5-flash-lite");
  CHECK(lite.known);
  CHECK(amount(lite, "gemini-2.5-flash-lite/requests/60s") == 4000);
  CHECK(amount(lite, "gemini-2.5-flash-lite/requests/day") == -1);
}

TEST_CASE("a later table can end a limit") {
  CHECK(amount(limits("free", "2025-12-06", "gemma-3-27b-it"), "gemma-*/requests/day") == 14400);
  CHECK(amount(limits("free", "", "gemma-3-27b-it"), "gemma-*/requests/day") == -1);
  CHECK(amount(limits("free", "2025-12-06", "gemini-2.5-pro"), "gemini-*pro*/requests/day") == 1500);
  CHECK(amount(limits("free", "", "gemini-2.5-pro"), "gemini-*pro*/requests/day") == -1);
}

TEST_CASE("a model of the paid tiers only has no requests on the free one") {
  CHECK(amount(limits("free", "", "gemini-3-pro-preview"), "gemini-3-pro/requests/day") == 0);
  CHECK(limits("free", "", "gemini-3-pro-preview").known);
}

TEST_CASE("spend is limited over ten minutes, by tier, for all models at once, since June 2026") {
  for (const auto& [tier, dollars] : {std::pair{"tier1", 10}, {"tier2", 50}, {"tier3", 200}}) {
    const auto spend = find(limits(tier, "", "gemini-2.5-pro"), "*/cost_usd/10m").value();
    CHECK(spend.amount == std::int64_t{dollars} * 1'000'000'000);
    CHECK(spend.window == quota::Window{quota::WindowKind::sliding, std::chrono::minutes(10)});
    CHECK(spend.published == "2026-06-23");
    CHECK(amount(limits(tier, "2026-06-22", "gemini-2.5-pro"), "*/cost_usd/10m") == -1);
  }
  CHECK(amount(limits("free", "", "gemini-2.5-pro"), "*/cost_usd/10m") == -1);
}

TEST_CASE("Gemma stands apart from the Gemini models, each size with counters of its own") {
  for (const std::string model : {"gemma-3-27b-it", "gemma-3-12b-it", "gemma-3-4b-it", "gemma-3-1b-it"}) {
    const auto gemma = limits("free", "", model);
    CHECK(gemma.known);
    CHECK(amount(gemma, model + "/requests/60s") == 30);
    CHECK(amount(gemma, model + "/input_tokens/60s") == 15000);
    CHECK(amount(gemma, model + "/requests/day") == 14400);
    CHECK(amount(gemma, "gemma-*/total_tokens/day") == 4000000);
    CHECK(gemma.limits.size() == 4);
  }
  CHECK_FALSE(limits("free", "", "gemma-3n-e4b-it").known);
}

TEST_CASE("concurrent Live sessions are one pool") {
  CHECK(amount(limits("tier1", "", "gemini-2.5-flash-live"), "gemini-*live*/in_flight") == 50);
  CHECK(amount(limits("tier2", "", "gemini-live-2.5-flash"), "gemini-*live*/in_flight") == 1000);
}

TEST_CASE(
    "an unknown model gets the strictest limits of its tier, under its own name, and is shown as such") {
  const auto unknown = limits("free", "", "gemini-9-flash");
  CHECK_FALSE(unknown.known);
  CHECK(unknown.model == "gemini-9-flash");
  CHECK(amount(unknown, "gemini-9-flash/requests/60s") == 3);          // gemini-2.5-flash-tts
  CHECK(amount(unknown, "gemini-9-flash/input_tokens/60s") == 10000);  // gemini-2.5-flash-tts
  CHECK(amount(unknown, "gemini-9-flash/requests/day") == 10);         // gemini-2.5-flash-tts
  CHECK(amount(unknown, "gemini-9-flash/input_tokens/day") == 1000000);
  CHECK(amount(unknown, "gemini-*/requests/day") == 1500);
  CHECK(amount(unknown, "gemini-*flash*/total_tokens/day") == 15000000);
}

TEST_CASE("the strictest limits are not above any listed model's, and never nothing") {
  const auto& catalog = Catalog::embedded();
  for (const auto& tier : catalog.tiers("gemini")) {
    for (const std::string_view as_of : {"2024-11-01", "2025-05-01", "2025-09-30", "2025-12-31", ""}) {
      const auto unknown = catalog.limits("gemini", tier, as_of, "never-heard-of");
      for (const auto& limit : unknown.limits) CHECK(limit.amount > 0);
      for (const auto& model : catalog.models("gemini", tier, as_of)) {
        for (const auto& limit : catalog.limits("gemini", tier, as_of, model).limits) {
          if (limit.models != std::vector<std::string>{model} || limit.amount == 0) continue;
          const auto name = quota::limit_name({"never-heard-of"}, limit.metric, limit.window);
          REQUIRE(find(unknown, name));
          CHECK(amount(unknown, name) <= limit.amount);
        }
      }
    }
  }
}

TEST_CASE("before the first table nothing is known and nothing limited") {
  const auto none = limits("free", "2020-01-01", "gemini-2.5-flash");
  CHECK_FALSE(none.known);
  CHECK(none.limits.empty());
  CHECK(Catalog::embedded().models("gemini", "free", "2020-01-01").empty());
}

TEST_CASE("names of limits are unique for every model") {
  const auto& catalog = Catalog::embedded();
  for (const auto& provider : catalog.providers()) {
    for (const auto& tier : catalog.tiers(provider)) {
      auto models = catalog.models(provider, tier, "");
      models.push_back("never-heard-of");
      for (const auto& model : models) {
        std::set<std::string> names;
        for (const auto& limit : catalog.limits(provider, tier, "", model).limits) {
          CHECK(names.insert(limit.name).second);
          CHECK(limit.name == quota::limit_name(limit.models, limit.metric, limit.window));
        }
      }
    }
  }
}

TEST_CASE("models are listed by tier and date, canonical and without families") {
  const auto& catalog = Catalog::embedded();
  CHECK(catalog.models("gemini", "free", "2024-11-30") ==
        std::vector<std::string>{"gemini-1.0-pro", "gemini-1.5-flash", "gemini-1.5-pro"});
  const auto now = catalog.models("gemini", "free", "");
  const std::set<std::string> names(now.begin(), now.end());
  CHECK(names.contains("gemini-3-flash"));
  CHECK_FALSE(names.contains("gemini-3-flash-preview"));
  CHECK(names.contains("gemma-3-27b-it"));
  CHECK_FALSE(names.contains("gemma-3"));
}

TEST_CASE("groq counts each model by itself, tokens in and out") {
  const auto& catalog = Catalog::embedded();
  const auto llama = catalog.limits("groq", "free", "", "llama-3.3-70b-versatile");
  CHECK(llama.known);
  CHECK(amount(llama, "llama-3.3-70b-versatile/requests/60s") == 30);
  CHECK(amount(llama, "llama-3.3-70b-versatile/requests/day") == 1000);
  CHECK(amount(llama, "llama-3.3-70b-versatile/total_tokens/60s") == 12000);
  CHECK(amount(llama, "llama-3.3-70b-versatile/total_tokens/day") == 100000);
  CHECK(find(llama, "llama-3.3-70b-versatile/requests/day")->time_zone == "UTC");
  CHECK(amount(catalog.limits("groq", "free", "", "openai/gpt-oss-120b"),
               "openai/gpt-oss-120b/total_tokens/60s") == 8000);
  CHECK(amount(catalog.limits("groq", "free", "", "qwen/qwen3-32b"), "qwen/qwen3-32b/requests/60s") == 60);
  CHECK(amount(catalog.limits("groq", "free", "", "llama-3.1-8b-instant"),
               "llama-3.1-8b-instant/requests/day") == 14400);
}

TEST_CASE("what a source says of models that it does not name holds for unknown ones only") {
  const auto& catalog = Catalog::embedded();
  const auto unknown = catalog.limits("groq", "free", "", "x");
  CHECK_FALSE(unknown.known);
  CHECK(amount(unknown, "x/requests/day") == 1000);
  CHECK(amount(unknown, "x/total_tokens/day") == 20000);
  const auto early = catalog.limits("groq", "free", "2025-01-01", "llama-3.1-8b-instant");
  CHECK_FALSE(early.known);
  CHECK(amount(early, "llama-3.1-8b-instant/requests/day") == 14400);
}

TEST_CASE("openrouter's free models share one pool, its others have no published limits") {
  const auto& catalog = Catalog::embedded();
  const auto free = catalog.limits("openrouter", "free", "", "deepseek/deepseek-r1:free");
  CHECK(free.known);
  CHECK(free.limits.size() == 2);
  CHECK(amount(free, "*:free/requests/60s") == 20);
  CHECK(amount(free, "*:free/requests/day") == 50);
  CHECK(find(free, "*:free/requests/day")->time_zone == "UTC");
  CHECK(amount(catalog.limits("openrouter", "tier1", "", "a/b:free"), "*:free/requests/day") == 1000);
  const auto paid = catalog.limits("openrouter", "free", "", "anthropic/claude");
  CHECK(paid.known);
  CHECK(paid.limits.empty());
}

TEST_CASE("openai has tiers but no published limits: every model is unknown and unlimited") {
  const auto& catalog = Catalog::embedded();
  CHECK(catalog.has_tier("openai", "tier3"));
  const auto any = catalog.limits("openai", "tier1", "", "gpt-4o");
  CHECK_FALSE(any.known);
  CHECK(any.limits.empty());
}

TEST_CASE("providers, tiers, zones and addresses") {
  const auto& catalog = Catalog::embedded();
  CHECK(catalog.providers() == std::vector<std::string>{"gemini", "groq", "openai", "openrouter"});
  CHECK(catalog.tiers("gemini") == std::vector<std::string>{"free", "tier1", "tier2", "tier3"});
  CHECK(catalog.tier_note("gemini", "tier2") == "paid $100 and 3 days");
  CHECK_FALSE(catalog.has_tier("gemini", "tier4"));
  CHECK_FALSE(catalog.has_tier("openrouter", "tier2"));
  CHECK(catalog.time_zone("gemini") == "America/Los_Angeles");
  CHECK(catalog.base_url("gemini") == "https://generativelanguage.googleapis.com");
  CHECK(catalog.time_zone("groq") == "UTC");
  CHECK(catalog.tiers("nobody").empty());
  CHECK(catalog.time_zone("nobody").empty());
  CHECK_FALSE(catalog.limits("nobody", "free", "", "x").known);
  CHECK(catalog.entries("nobody", "").empty());
  CHECK(Catalog().providers().empty());
}

TEST_CASE("entries come newest first, dated, with a source, and say what is superseded") {
  const auto& catalog = Catalog::embedded();
  for (const auto& provider : catalog.providers()) {
    std::string last = "9999";
    for (const auto& entry : catalog.entries(provider, "")) {
      CHECK(entry.provider == provider);
      CHECK(entry.date.size() == 10);
      CHECK(entry.date <= last);
      CHECK_FALSE(entry.source.empty());
      CHECK_FALSE(entry.models.empty());
      last = entry.date;
    }
  }
  bool found = false;
  for (const auto& entry : catalog.entries("gemini", "")) {
    if (entry.models[0] == "gemini-2.5-flash" && entry.tier == "free") {
      CHECK(entry.superseded == (entry.date != "2026-09-04"));
      found = true;
    }
    if (entry.models[0] == "gemini-embedding-exp") CHECK_FALSE(entry.superseded);
  }
  CHECK(found);
  for (const auto& entry : catalog.entries("gemini", "2025-12-06")) {
    CHECK(entry.date <= "2025-12-06");
    if (entry.models[0] == "gemini-2.5-flash" && entry.date == "2025-11-21") CHECK_FALSE(entry.superseded);
  }
}

TEST_CASE("a vague date is sortable and keeps its own words") {
  bool found = false;
  for (const auto& entry : Catalog::embedded().entries("gemini", "")) {
    if (entry.date != "2025-11-21") continue;
    CHECK(entry.source.find("2025-11-late") != std::string::npos);
    found = true;
  }
  CHECK(found);
}

}  // namespace
}  // namespace weir::catalog
