#include <doctest/doctest.h>

#include "catalog/catalog.hpp"

namespace weir::catalog {
namespace {

std::string gemini(std::string_view model) {
  return Catalog::embedded().canonical("gemini", model);
}

TEST_CASE("prefixes of gemini's names do not count") {
  CHECK(gemini("models/gemini-2.5-flash") == "gemini-2.5-flash");
  CHECK(gemini("google/gemini-2.5-flash") == "gemini-2.5-flash");
  CHECK(gemini("models/nobody-knows-me") == "nobody-knows-me");
  CHECK(gemini("models/") == "models/");
}

TEST_CASE("the latest aliases are the newest listed models") {
  CHECK(gemini("gemini-flash-latest") == "gemini-3.8-flash");
  CHECK(gemini("models/gemini-flash-lite-latest") == "gemini-3.5-flash-lite");
  CHECK(gemini("gemini-pro-latest") == "gemini-3.1-pro");
  CHECK(gemini("gemini-1.5-flash-latest") == "gemini-1.5-flash");
}

TEST_CASE("every alias leads to a model that some table or family lists") {
  const auto& catalog = Catalog::embedded();
  for (const auto* alias : {"gemini-flash-latest", "gemini-flash-lite-latest"}) {
    CHECK(catalog.limits("gemini", "free", "", alias).known);
  }
  CHECK(catalog.limits("gemini", "tier1", "", "gemini-pro-latest").known);
  CHECK(catalog.limits("gemini", "free", "", "gemini-2.5-flash-preview-tts").known);
}

TEST_CASE("endings collapse to a listed model") {
  CHECK(gemini("gemini-3-flash-preview") == "gemini-3-flash");  // Google's own name in its quotaDimensions
  CHECK(gemini("gemini-3-pro-preview") == "gemini-3-pro");
  CHECK(gemini("gemini-3.1-pro-preview") == "gemini-3.1-pro");
  CHECK(gemini("gemini-3.1-pro-preview-customtools") == "gemini-3.1-pro");
  CHECK(gemini("gemini-2.5-flash-preview-04-17") == "gemini-2.5-flash");
  CHECK(gemini("gemini-2.5-flash-lite-preview-09-2025") == "gemini-2.5-flash-lite");
  CHECK(gemini("gemini-2.0-flash-001") == "gemini-2.0-flash");
  CHECK(gemini("gemini-embedding-exp-03-07") == "gemini-embedding-exp");
}

TEST_CASE("an ending stays where no listed model is without it") {
  CHECK(gemini("gemini-embedding-001") == "gemini-embedding-001");
  CHECK(gemini("gemini-2.5-pro-exp-03-25") == "gemini-2.5-pro-exp-03-25");
  CHECK(gemini("gemini-9-ultra-preview") == "gemini-9-ultra-preview");
  CHECK(gemini("-preview") == "-preview");
  CHECK(gemini("").empty());
}

TEST_CASE("a canonical name is its own canonical name") {
  const auto& catalog = Catalog::embedded();
  for (const auto& provider : catalog.providers()) {
    for (const auto& entry : catalog.entries(provider, "")) {
      if (entry.scope != Scope::model) continue;
      CHECK(catalog.canonical(provider, entry.models[0]) == entry.models[0]);
    }
  }
}

TEST_CASE("Gemma's two spellings are one model, its sizes are three") {
  CHECK(gemini("gemma-3-27b-instruct") == "gemma-3-27b-it");
  CHECK(gemini("gemma-3-27b-it") == "gemma-3-27b-it");
  CHECK(gemini("gemma-3-4b-instruct") == "gemma-3-4b-it");
}

TEST_CASE("other providers' names stay as they are") {
  const auto& catalog = Catalog::embedded();
  CHECK(catalog.canonical("openrouter", "google/gemini-2.5-flash-preview:free") ==
        "google/gemini-2.5-flash-preview:free");
  CHECK(catalog.canonical("openai", "gpt-4o-2024-08-06") == "gpt-4o-2024-08-06");
  CHECK(catalog.canonical("groq", "llama-3.3-70b") == "llama-3.3-70b-versatile");
  CHECK(catalog.canonical("nobody", "models/x") == "models/x");
}

}  // namespace
}  // namespace weir::catalog
