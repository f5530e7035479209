#include <limits>

#include <doctest/doctest.h>

#include "catalog/catalog.hpp"

namespace weir::catalog {
namespace {

Price gemini(std::string_view model, std::string_view day = "2026-11-22") {
  return Catalog::embedded().price("gemini", model, day);
}

Usage usage(std::int64_t input, std::int64_t output) {
  Usage u;
  u.input_tokens = input;
  u.output_tokens = output;
  return u;
}

TEST_CASE("prices are exact") {
  const auto flash = gemini("gemini-1.5-flash");
  CHECK(flash.input == 75000);
  CHECK(flash.cached_input == 18750);
  CHECK(flash.long_cached_input == 37500);
  CHECK(flash.output == 300000);
  CHECK(flash.source.find("genai-prices") != std::string::npos);
  CHECK(flash.checked == "2025-07-04");
}

TEST_CASE("without a cache price cached tokens cost as much as others") {
  const auto pro = gemini("gemini-1.5-pro");
  CHECK(pro.cached_input == pro.input);
  CHECK(pro.long_cached_input == pro.long_input);
}

TEST_CASE("a call costs fresh and cached input, tool use, output and thoughts") {
  Usage call;
  call.input_tokens = 1000;
  call.cached_input_tokens = 100;
  call.output_tokens = 150;
  call.thoughts_tokens = 50;
  CHECK(gemini("gemini-2.5-flash").cost(call) == 773'000);
  call.tool_use_tokens = 10;
  CHECK(gemini("gemini-2.5-flash").cost(call) == 776'000);
  CHECK(gemini("gemini-2.5-flash").cost(Usage()) == 0);
}

TEST_CASE("a long prompt's price holds from one token above the bound, for the whole call") {
  const auto pro = gemini("gemini-2.5-pro");
  CHECK(pro.long_context_from == 200000);
  CHECK(pro.cost(usage(200000, 1000)) == 200000 * 1250LL + 1000 * 10000LL);
  CHECK(pro.cost(usage(200001, 1000)) == 200001 * 2500LL + 1000 * 15000LL);
  auto with_tools = usage(200000, 1000);
  with_tools.tool_use_tokens = 1;
  CHECK(pro.cost(with_tools) == 200001 * 2500LL + 1000 * 15000LL);
  auto cached = usage(200001, 0);
  cached.cached_input_tokens = 200001;
  CHECK(pro.cost(cached) == 200001 * 250LL);
}

TEST_CASE("a cost is rounded half up, once") {
  const auto flash = gemini("gemini-1.5-flash");
  auto cached = usage(1, 0);
  cached.cached_input_tokens = 1;
  CHECK(flash.cost(cached) == 19);  // 18.75
  cached.input_tokens = cached.cached_input_tokens = 2;
  CHECK(flash.cost(cached) == 38);  // 37.5
  cached.input_tokens = cached.cached_input_tokens = 3;
  CHECK(flash.cost(cached) == 56);  // 56.25
  CHECK(gemini("gemini-flash-1.5-8b").cost(usage(1, 0)) == 38);
  CHECK(gemini("gemini-flash-1.5-8b").cost(usage(3, 0)) == 113);
}

TEST_CASE("a cost does not overflow, and no call costs more than a thousand dollars") {
  CHECK(gemini("gemini-2.5-pro").cost(usage(100'000'000, 0)) == 250'000'000'000);
  Usage all;
  all.input_tokens = all.output_tokens = all.thoughts_tokens = all.tool_use_tokens =
      std::numeric_limits<std::int64_t>::max();
  CHECK(gemini("gemini-2.5-pro").cost(all) == 1'000'000'000'000);
}

TEST_CASE("more cached tokens than input do not make a call cheaper than its cached input") {
  auto odd = usage(10, 0);
  odd.cached_input_tokens = 1000;
  CHECK(gemini("gemini-2.5-flash").cost(odd) == 300);
}

TEST_CASE("a price changes on its day") {
  for (const auto* model : {"gemini-3.6-flash", "gemini-3.7-flash"}) {
    CHECK(gemini(model, "2026-12-31").input == 750000);
    CHECK(gemini(model, "2026-12-31").valid_from.empty());
    CHECK(gemini(model, "2027-01-01").input == 1500000);
    CHECK(gemini(model, "2027-01-01").cached_input == 150000);
    CHECK(gemini(model, "2027-01-01").output == 7500000);
    CHECK(gemini(model, "2027-01-01").valid_from == "2027-01-01");
  }
}

TEST_CASE("names of prices go through aliases, endings and families") {
  CHECK(gemini("models/gemini-2.5-flash-001").input == 300000);
  CHECK(gemini("gemini-3.1-pro").model == "gemini-3.1-pro-preview");
  CHECK(gemini("gemini-pro-latest").model == "gemini-3.1-pro-preview");
  CHECK(gemini("gemini-3-flash").model == "gemini-3-flash-preview");
  CHECK(gemini("gemini-flash-lite-latest").model == "gemini-3.5-flash-lite");
  CHECK(gemini("gemini-1.5-flash-8b").model == "gemini-flash-1.5-8b");
  CHECK(gemini("gemini-1.0-pro-001").model == "gemini-pro");
}

TEST_CASE("a preview that cost other than what it became keeps its price") {
  CHECK(gemini("gemini-2.5-flash-preview").input == 150000);
  CHECK(gemini("gemini-2.5-flash-preview-04-17").input == 150000);
  CHECK(gemini("gemini-2.5-flash").input == 300000);
}

TEST_CASE("no published price is not a price of nothing") {
  CHECK_FALSE(gemini("gemini-flash-latest").known);  // 3.8: not in the sources
  CHECK(gemini("gemini-flash-latest").model == "gemini-3.8-flash");
  CHECK(gemini("never-heard-of").cost(usage(1000, 1000)) == 0);
  CHECK_FALSE(gemini("never-heard-of").known);
  CHECK_FALSE(Catalog::embedded().price("openrouter", "google/gemini-2.5-flash", "2026-11-22").known);
  CHECK_FALSE(Catalog::embedded().price("nobody", "x", "2026-11-22").known);
}

TEST_CASE("a model listed without a price is free of charge") {
  CHECK(gemini("gemma-3-27b-it").known);
  CHECK(gemini("gemma-3-27b-it").cost(usage(1000, 1000)) == 0);
  CHECK(gemini("gemma-3n-e4b-it").model == "gemma-3n");
}

}  // namespace
}  // namespace weir::catalog
