#include <stdexcept>
#include <string>

#include <doctest/doctest.h>

#include "catalog/catalog.hpp"

namespace weir::catalog {
namespace {

// A small file in which `old` is replaced by `fresh`.
std::string file_with(const std::string& old = "", const std::string& fresh = "") {
  std::string text = R"({
    "provider": "p", "base_url": "https://p.example", "time_zone": "UTC", "tiers": {"free": "none"},
    "aliases": {"b": "a"},
    "columns": ["requests/60s", "requests/day"],
    "tables": [
      {"date": "2026-01-01", "tier": "free", "source": "s", "limits": {"a": [1, null], "c": [3, "none"]}},
      {"date": "2025-01-01", "tier": "free", "source": "s", "limits": {"a": {"requests/day": 2}, "c": [3, 4]},
       "shared": [{"models": ["x*"], "limits": {"cost_usd/10m": 0.5}}]}
    ],
    "prices": {"source": "s", "models": [
      {"model": "a", "input": 0.01875, "output": 1, "above": {"prompt_tokens": 5, "input": 2, "output": 3}}]}
  })";
  if (!old.empty()) {
    const auto at = text.find(old);
    REQUIRE(at != std::string::npos);
    text.replace(at, old.size(), fresh);
  }
  return text;
}

std::string error_of(const std::string& text) {
  try {
    Catalog::parse({{"p.json", text}});
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "none";
}

std::string error_with(const std::string& old, const std::string& fresh) {
  return error_of(file_with(old, fresh));
}

bool starts_with(const std::string& text, const std::string& start) {
  INFO(text);
  CHECK(text.starts_with(start));
  return text.starts_with(start);
}

TEST_CASE("a correct file loads") {
  const auto catalog = Catalog::parse({{"p.json", file_with()}});
  const auto a = catalog.limits("p", "free", "", "b");
  REQUIRE(a.limits.size() == 2);
  CHECK(a.limits[0].amount == 1);
  CHECK(a.limits[1].amount == 2);
  CHECK(catalog.limits("p", "free", "", "c").limits.size() == 1);
  CHECK(catalog.limits("p", "free", "2025-01-01", "c").limits.size() == 2);
  CHECK(catalog.limits("p", "free", "", "xy").limits.back().amount == 500'000'000);
  CHECK(catalog.price("p", "b", "2026-01-01").input == 18750);
}

TEST_CASE("what is not JSON is refused with its line") {
  const auto error = error_of("{\n \"provider\": ,}");
  starts_with(error, "p.json: /: ");
  CHECK(error.find("line 2") != std::string::npos);
}

TEST_CASE("an error names the file and the place") {
  starts_with(error_with("[1, null]", "[1, -2]"), "p.json: /tables/0/limits/a/1: ");
  starts_with(error_with("[1, null]", "[1, 2.5]"), "p.json: /tables/0/limits/a/1: ");
  starts_with(error_with("[1, null]", "[1, \"2\"]"), "p.json: /tables/0/limits/a/1: ");
  starts_with(error_with("[1, null]", "[1]"), "p.json: /tables/0/limits/a: ");
  starts_with(error_with("[1, null]", "5"), "p.json: /tables/0/limits/a: ");
  starts_with(error_with("requests/day\": 2", "requests/days\": 2"),
              "p.json: /tables/1/limits/a/requests~1days: ");
  starts_with(error_with("\"requests/60s\"", "\"in_flight/60s\""), "p.json: /columns/0: ");
  starts_with(error_with("\"requests/60s\"", "\"requests\""), "p.json: /columns/0: ");
  starts_with(error_with("\"requests/60s\"", "7"), "p.json: /columns/0: ");
  starts_with(error_with("2026-01-01", "2026-13-01"), "p.json: /tables/0/date: ");
  starts_with(error_with("2026-01-01", "2026-01"), "p.json: /tables/0/date: ");
  starts_with(error_with("\"tier\": \"free\"", "\"tier\": \"gold\""), "p.json: /tables/0/tier: ");
  starts_with(error_with(", \"source\": \"s\", \"limits\"", ", \"limits\""), "p.json: /tables/0: ");
  starts_with(error_with("\"source\"", "\"sauce\""), "p.json: /tables/0/sauce: ");
  starts_with(error_with("[\"x*\"]", "[]"), "p.json: /tables/1/shared/0/models: ");
  starts_with(error_with("0.5", "-0.5"), "p.json: /tables/1/shared/0/limits/cost_usd~110m: ");
  starts_with(error_with("\"b\": \"a\"", "\"b\": \"a\", \"c\": \"b\""), "p.json: /aliases/c: ");
  starts_with(error_with("\"tables\"", "\"tabels\""), "p.json: /");
  starts_with(error_of("[]"), "p.json: /: must be an object");
  starts_with(error_of("{}"), "p.json: /: \"provider\" is missing");
}

TEST_CASE("an error in a price names the file and the place") {
  starts_with(error_with("0.01875", "0.0187555"), "p.json: /prices/models/0/input: ");
  starts_with(error_with("0.01875", "\"free\""), "p.json: /prices/models/0/input: ");
  starts_with(error_with("\"input\": 0.01875,", ""), "p.json: /prices/models/0: ");
  starts_with(error_with("\"prompt_tokens\": 5", "\"prompt_tokens\": 0"),
              "p.json: /prices/models/0/above/prompt_tokens: ");
  starts_with(error_with(", \"output\": 3", ""), "p.json: /prices/models/0/above: ");
  starts_with(error_with("\"output\": 3}}", "\"output\": 3}}, {\"model\": \"a\", \"input\": 1}"),
              "p.json: /prices/models/1: ");
  starts_with(error_with("\"input\": 0.01875", "\"free_of_charge\": true, \"input\": 1"),
              "p.json: /prices/models/0/above: ");
}

TEST_CASE("a key that stands twice is an error, not the last one's victory") {
  starts_with(error_with("\"c\": [3, \"none\"]", "\"a\": [3, 3]"),
              "p.json: /tables/0/limits/a: stands here twice");
  starts_with(error_with("\"cost_usd/10m\": 0.5", "\"requests/day\": 1, \"requests/day\": 2"),
              "p.json: /tables/1/shared/0/limits/requests~1day: stands here twice");
}

TEST_CASE("two numbers of one day for one place are an error") {
  starts_with(error_with("\"c\": [3, \"none\"]", "\"b\": [3, null]"),
              "p.json: /tables/0/limits/b: contradicts");
  CHECK(error_with("\"c\": [3, \"none\"]", "\"b\": [1, null]") == "none");
  starts_with(
      error_with(
          "2025-01-01\", \"tier\": \"free\", \"source\": \"s\", \"limits\": {\"a\": {\"requests/day\": 2}",
          "2026-01-01\", \"tier\": \"free\", \"source\": \"s\", \"limits\": {\"a\": {\"requests/60s\": 2}"),
      "p.json: /tables/1/limits/a: contradicts");
}

TEST_CASE("a provider has one file") {
  CHECK_THROWS_WITH_AS(Catalog::parse({{"p.json", file_with()}, {"q.json", file_with()}}),
                       "q.json: /provider: another file has this provider", std::runtime_error);
}

}  // namespace
}  // namespace weir::catalog
