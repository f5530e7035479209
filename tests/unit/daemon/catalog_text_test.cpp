#include <doctest/doctest.h>

#include "daemon/text/catalog.hpp"

namespace weir::daemon {
namespace {

const Look kAscii{0, false, false};

catalog::Entry entry(const char* date, const char* model, std::int64_t amount, const char* source) {
  catalog::Entry out;
  out.provider = "gemini";
  out.tier = "free";
  out.date = date;
  out.source = source;
  out.models = {model};
  quota::LimitSpec limit;
  limit.models = out.models;
  limit.amount = amount;
  limit.name = quota::limit_name(limit.models, limit.metric, limit.window);
  limit.source = quota::Source::catalog;
  out.limits = {limit};
  return out;
}

}  // namespace

TEST_CASE("of the rows for the same models the latest holds") {
  const std::vector<catalog::Entry> entries = {entry("2025-12-07", "a", 250, "old"),
                                               entry("2026-09-04", "a", 20, "new"),
                                               entry("2025-12-07", "b", 5, "old")};
  const auto now = select_entries(entries, "", false);
  REQUIRE(now.size() == 2);
  CHECK(now[0].entry.date == "2026-09-04");
  CHECK(now[1].entry.models == std::vector<std::string>{"b"});
  const auto all = select_entries(entries, "free", true);
  REQUIRE(all.size() == 3);
  CHECK(!all[0].superseded);
  CHECK(all[1].superseded);
  CHECK(select_entries(entries, "tier1", true).empty());
}

TEST_CASE("limits are shown with date and source, prices by the million tokens") {
  CatalogView view{
      "gemini",
      select_entries({entry("2025-12-07", "a", 250, "blog"), entry("2026-09-04", "a", 20, "dashboard")}, "",
                     true),
      {}};
  catalog::Price price;
  price.model = "a";
  price.source = "pricing page";
  price.checked = "2026-11-01";
  price.input = 300'000;
  price.cached_input = 75'000;
  price.output = 2'500'000;
  price.long_context_from = 200'000;
  price.long_input = 600'000;
  price.long_cached_input = 150'000;
  price.long_output = 3'000'000;
  view.prices = {price};
  CHECK(render_catalog(view, kAscii) ==
        "gemini: limits\n"
        "TIER  MODELS  LIMITS            SINCE                  SOURCE\n"
        "free  a       20 requests/day   2026-09-04             [1]\n"
        "free  a       250 requests/day  2025-12-07 superseded  [2]\n"
        "[1] dashboard\n"
        "[2] blog\n"
        "\n"
        "gemini: prices, dollars per million tokens\n"
        "MODEL        INPUT  CACHED  OUTPUT  FROM    CHECKED     SOURCE\n"
        "a             $0.3  $0.075   $2.50  always  2026-11-01  [1]\n"
        "a over 200k   $0.6   $0.15   $3.00  always  2026-11-01  [1]\n"
        "[1] pricing page\n");
  const auto json = catalog_json({view});
  CHECK(json["entries"][0]["limits"][0]["amount"] == 20);
  CHECK(json["entries"][1]["superseded"] == true);
  CHECK(json["prices"][0]["output_usd_per_million"] == 2.5);
}

TEST_CASE("limits are told with amount, metric and window") {
  quota::LimitSpec tokens;
  tokens.metric = Metric::input_tokens;
  tokens.window = quota::parse_window("60s").value();
  tokens.amount = 250'000;
  quota::LimitSpec money;
  money.metric = Metric::cost_usd;
  money.window = quota::parse_window("10m").value();
  money.amount = 10'000'000'000;
  CHECK(limits_text({tokens, money}) == "250k input_tokens/60s, $10.00 cost_usd/10m");
  CHECK(limits_text({}) == "none");
}

}  // namespace weir::daemon
