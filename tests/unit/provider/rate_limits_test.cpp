#include "provider/rate_limits.hpp"

#include <doctest/doctest.h>

#include "time/rfc3339.hpp"

namespace weir::provider {
namespace {

std::vector<RateLimit> read(std::initializer_list<std::pair<std::string_view, std::string_view>> headers) {
  std::vector<RateLimit> limits;
  for (const auto& [name, value] : headers) read_rate_limit(name, value, limits);
  return limits;
}

const WallTime kNow = *parse_rfc3339("2026-11-22T12:00:00Z");

}  // namespace

TEST_CASE("OpenAI's and Groq's") {
  const auto limits = read({{"x-ratelimit-limit-requests", "14400"},
                            {"X-RateLimit-Remaining-Requests", "14370"},
                            {"x-ratelimit-reset-requests", "2m59.56s"},
                            {"x-ratelimit-limit-tokens", "18000"},
                            {"x-ratelimit-remaining-tokens", "17997"},
                            {"x-ratelimit-reset-tokens", "7.66s"},
                            {"content-type", "application/json"}});
  REQUIRE(limits.size() == 2);
  CHECK(limits[0].metric == Metric::requests);
  CHECK(limits[0].header == "x-ratelimit-requests");
  CHECK(limits[0].limit == 14400);
  CHECK(limits[0].remaining == 14370);
  CHECK(limits[0].reset_in(kNow) == Micros(179'560'000));
  CHECK(limits[0].period == QuotaPeriod::unknown);
  CHECK(limits[1].metric == Metric::total_tokens);
  CHECK(limits[1].reset_in(kNow) == Micros(7'660'000));
}

TEST_CASE("OpenRouter's: one number, its reset in milliseconds since 1970") {
  const auto limits = read(
      {{"X-RateLimit-Limit", "50"}, {"X-RateLimit-Remaining", "0"}, {"X-RateLimit-Reset", "1795392000000"}});
  REQUIRE(limits.size() == 1);
  CHECK(limits[0].limit == 50);
  CHECK(limits[0].remaining == 0);
  CHECK(limits[0].reset_at == WallTime(std::chrono::milliseconds(1795392000000)));
}

TEST_CASE("Anthropic's: a bucket that fills within a minute") {
  const auto limits = read({{"anthropic-ratelimit-input-tokens-limit", "50000"},
                            {"anthropic-ratelimit-input-tokens-remaining", "48000"},
                            {"anthropic-ratelimit-input-tokens-reset", "2026-11-22T12:00:03Z"},
                            {"anthropic-ratelimit-output-tokens-limit", "10000"},
                            {"anthropic-ratelimit-requests-limit", "50"}});
  REQUIRE(limits.size() == 3);
  CHECK(limits[0].metric == Metric::input_tokens);
  CHECK(limits[0].period == QuotaPeriod::minute);
  CHECK(limits[0].reset_in(kNow) == std::chrono::seconds(3));
  CHECK(limits[1].metric == Metric::output_tokens);
  CHECK(limits[2].metric == Metric::requests);
}

TEST_CASE("what cannot be read is absent") {
  const auto limits =
      read({{"x-ratelimit-limit-requests", "many"},
            {"x-ratelimit-remaining-requests", "-1"},
            {"x-ratelimit-reset-requests", "soon"},
            {"x-ratelimit-limit-wishes", "3"},
            {"x-ratelimit-", "3"},
            {"anthropic-ratelimit-", "3"},
            {"anthropic-ratelimit-tokens", "3"},
            {"x-ratelimit-limit-requests-per-second-and-much-more-that-is-far-too-long", "1"}});
  REQUIRE(limits.size() == 1);
  CHECK_FALSE(limits[0].limit);
  CHECK_FALSE(limits[0].remaining);
  CHECK(limits[0].reset_in(kNow) == Micros(0));
}

}  // namespace weir::provider
