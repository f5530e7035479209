#include "provider/error_text.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "print.hpp"

namespace weir::provider {
namespace {

using namespace std::chrono_literals;
using Amount = std::optional<std::int64_t>;

QuotaViolation limit(Metric metric, QuotaPeriod period, Amount amount, std::string name = {},
                     std::string model = {}, Amount used = {}) {
  QuotaViolation violation;
  violation.quota_metric = std::move(name);
  violation.model = std::move(model);
  violation.metric = metric;
  violation.period = period;
  violation.amount = amount;
  violation.used = used;
  return violation;
}

QuotaViolation free_tier(QuotaViolation violation) {
  violation.free_tier = true;
  return violation;
}

std::vector<QuotaViolation> violations(std::string_view text, bool complete = true) {
  return ErrorText(text, complete).violations();
}

std::optional<Micros> hint(std::string_view text, bool complete = true) {
  return ErrorText(text, complete).retry_hint();
}

}  // namespace

TEST_CASE("limits are read from the prose of each provider") {
  struct Case {
    std::string text;
    std::vector<QuotaViolation> violations;
  };
  auto openrouter = free_tier(limit(Metric::requests, QuotaPeriod::day, {}));
  openrouter.quota_id = "free-models-per-day";
  const std::vector<Case> cases = {
      // Interactions
      {"You exceeded your quota, limit: 10 requests per day on Free Tier. Please retry in 14h45m30s",
       {free_tier(limit(Metric::requests, QuotaPeriod::day, 10))}},
      {"limit: 250000 input tokens per minute, model: gemini-3-flash.",
       {limit(Metric::input_tokens, QuotaPeriod::minute, 250000, "", "gemini-3-flash")}},
      // Groq
      {"Rate limit reached for model `llama-3.3-70b-versatile` in organization `org_x` service tier "
       "`on_demand` on "
       "tokens per day (TPD): Limit 100000, Used 99336, Requested 1000. Please try again in 4m50.304s.",
       {limit(Metric::total_tokens, QuotaPeriod::day, 100000, "tokens per day (TPD)",
              "llama-3.3-70b-versatile", 99336)}},
      // OpenAI
      {"Rate limit reached for gpt-4o in organization org-x on requests per day (RPD): Limit 200, Used 200, "
       "Requested 1.",
       {limit(Metric::requests, QuotaPeriod::day, 200, "requests per day (RPD)", "gpt-4o", 200)}},
      {"Request too large for gpt-4 in organization org-x on tokens per min (TPM): Limit 10000, Requested "
       "12000.",
       {limit(Metric::total_tokens, QuotaPeriod::minute, 10000, "tokens per min (TPM)", "gpt-4")}},
      {"Rate limit reached for dall-e-3 in organization org-x on images per min (IPM): Limit 5, Used 5, "
       "Requested 1.",
       {limit(Metric::images, QuotaPeriod::minute, 5, "images per min (IPM)", "dall-e-3", 5)}},
      // Anthropic
      {"This request would exceed your organization's rate limit of 50,000 input tokens per minute (org: x).",
       {limit(Metric::input_tokens, QuotaPeriod::minute, 50000)}},
      // OpenRouter
      {"Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day",
       {openrouter}},
      // Google, 2024, without details
      {"Quota exceeded for quota metric 'Generate Content API requests per minute' and limit "
       "'GenerateContent "
       "request limit per minute for a region' of service 'x'",
       {limit(Metric::requests, QuotaPeriod::minute, {}, "Generate Content API requests per minute")}},
      // Google, two lines, the second told twice
      {"* Quota exceeded for metric: g/requests, limit: 0, model: m\n* Quota exceeded for metric: "
       "g/input_token_count, "
       "limit: 9\n* Quota exceeded for metric: g/input_token_count, limit: 9",
       {limit(Metric::requests, QuotaPeriod::unknown, 0, "g/requests", "m"),
        limit(Metric::input_tokens, QuotaPeriod::unknown, 9, "g/input_token_count")}},
      // Nothing to read
      {"", {}},
      {"limit: ", {}},
      {"limit: 0", {}},
      {"limit: 20K requests per day", {}},
      {"limit: 1.5 requests per day", {}},
      {"limit: 1,5 requests per day", {}},
      {"limit: -1 requests per day", {}},
      {"limit: 99999999999999999999 requests per day", {}},
      {"limit: 10 apples per day", {}},
      {"limit: 10 requests per customer", {}},
      {"speed limit: 10. Requests per day", {}},
      {" on tokens per min (TPM): Limit x",
       {limit(Metric::total_tokens, QuotaPeriod::minute, {}, "tokens per min (TPM)")}},
      {"): Limit 5", {}},
      {"quota metric '", {}},
      {"quota metric 'a' and limit 'b", {}},
      {"Quota exceeded for metric: ", {}},
      {"free-models-per-", {}},
  };
  for (const Case& c : cases) {
    CAPTURE(c.text);
    CHECK(violations(c.text) == c.violations);
  }
}

TEST_CASE("hints are read as people write them") {
  CHECK(hint("Please retry in 21.497994s.") == 21'497'994us);
  CHECK(hint("Please try again in 1.78s. Visit") == 1'780ms);
  CHECK(hint("retry in 14h45m30s") == 14h + 45min + 30s);
  CHECK(hint("retry in 3h46.55s.") == 3h + 46'550ms);
  CHECK(hint("Please retry in 900.2ms.") == 900'200us);
  CHECK(hint("Please retry after 6 seconds.") == 6s);
  CHECK(hint("try again in 20 minutes") == 20min);
  CHECK(hint("retry in 5s, or try again in 7s") == 7s);
  for (const std::string_view text :
       {"", "retry in ", "retry in a moment", "retry in 5", "retry in -5s", "retry in 5 s",
        "retry in 999999999h", "Please retry shortly", "retry in 5s7"}) {
    CAPTURE(text);
    CHECK(hint(text) == std::nullopt);
  }
}

TEST_CASE("in a text that was cut off, what stands at the end is not believed") {
  CHECK(hint("retry in 14h45m", false) == std::nullopt);
  CHECK(hint("retry in 14h45m30s.\"", false) == 14h + 45min + 30s);
  const std::string line = "Quota exceeded for metric: g/requests, limit: 25";
  CHECK(violations(line, true)[0].amount == 25);
  CHECK(violations(line, false)[0].amount == std::nullopt);
  CHECK(violations(line + ", model: gem", false)[0].amount == 25);
  CHECK(violations(line + ", model: gem", false)[0].model == "");
  CHECK(violations("Quota exceeded for metric: g/requ", false).empty());
}

TEST_CASE("a quota's name tells what it counts, never the length of a hint") {
  struct Case {
    std::string id;
    Metric metric;
    QuotaPeriod period;
    bool free_tier;
  };
  const std::vector<Case> cases = {
      {"GenerateRequestsPerMinutePerProjectPerModel", Metric::requests, QuotaPeriod::minute, false},
      {"GenerateRequestsPerMinutePerProjectPerModel-FreeTier", Metric::requests, QuotaPeriod::minute, true},
      {"GenerateRequestsPerDayPerProjectPerModel", Metric::requests, QuotaPeriod::day, false},
      {"GenerateRequestsPerDayPerProjectPerModel-FreeTier", Metric::requests, QuotaPeriod::day, true},
      {"GenerateContentInputTokensPerModelPerMinute-FreeTier", Metric::input_tokens, QuotaPeriod::minute,
       true},
      {"GenerateContentInputTokensPerModelPerDay-FreeTier", Metric::input_tokens, QuotaPeriod::day, true},
      {"GenerateContentPaidTierInputTokensPerModelPerMinute", Metric::input_tokens, QuotaPeriod::minute,
       false},
      {"EmbedContentRequestsPerMinutePerProjectPerModel-FreeTier", Metric::requests, QuotaPeriod::minute,
       true},
      {"EmbedContentRequestsPerDayPerUserPerProjectPerModel-FreeTier", Metric::requests, QuotaPeriod::day,
       true},
      {"GenerateContentRequestsPerMinutePerProjectPerRegion", Metric::requests, QuotaPeriod::minute, false},
      {"SomethingElse", Metric::requests, QuotaPeriod::unknown, false},
  };
  for (const Case& c : cases) {
    CAPTURE(c.id);
    CHECK(metric_named(c.id, "") == c.metric);
    CHECK(period_named(c.id) == c.period);
    CHECK(free_tier_named(c.id) == c.free_tier);
  }
  CHECK(metric_named("", "g/generate_content_free_tier_input_token_count") == Metric::input_tokens);
}

}  // namespace weir::provider
