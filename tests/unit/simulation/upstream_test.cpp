#include "simulation/upstream.hpp"

#include <doctest/doctest.h>

#include "provider/error.hpp"

#include "fixture.hpp"
#include "simulation/refusal.hpp"

namespace weir::simulation {
namespace {

struct Provider {
  Provider(Counting counting, const quota::LimitSpec& spec, double phase = 0)
      : upstream({.counting = counting, .phase = s(phase), .jitter = {}, .seed = 1}) {
    limits.push_back(upstream.add(spec));
  }
  // 0: taken; else the seconds until there is room.
  double call(double at, std::int64_t tokens = 0) {
    const auto& verdict = upstream.call(limits, tokens, *parse_rfc3339("2027-02-01T08:00:00Z") + s(at));
    CHECK(verdict.refused_by.empty() == (verdict.retry_after == Micros(0)));
    return seconds(verdict.retry_after);
  }
  Upstream upstream;
  std::vector<Upstream::Limit> limits;
};

}  // namespace

TEST_CASE("a sliding count forgets a call exactly one window after it") {
  Provider p(Counting::sliding, limit("m", Metric::requests, "60s", 2));
  CHECK(p.call(0) == 0);
  CHECK(p.call(30) == 0);
  CHECK(p.call(31) == doctest::Approx(29));
  CHECK(p.call(59.999999) == doctest::Approx(0.000001));
  CHECK(p.call(60) == 0);
  CHECK(p.call(61) == doctest::Approx(29));
}

TEST_CASE("fixed minutes begin at their phase and let twice the limit through around it") {
  Provider p(Counting::fixed, limit("m", Metric::requests, "60s", 2), 30);
  CHECK(p.call(28) == 0);
  CHECK(p.call(29) == 0);
  CHECK(p.call(29.5) == doctest::Approx(0.5));
  CHECK(p.call(30) == 0);
  CHECK(p.call(31) == 0);
  CHECK(p.call(31) == doctest::Approx(59));
}

TEST_CASE("a bucket is full at first and refills evenly") {
  Provider p(Counting::bucket, limit("m", Metric::requests, "60s", 2));
  CHECK(p.call(0) == 0);
  CHECK(p.call(0) == 0);
  CHECK(p.call(0) == doctest::Approx(30));
  CHECK(p.call(29.9) == doctest::Approx(0.1));
  CHECK(p.call(30) == 0);
  CHECK(p.call(30) == doctest::Approx(30));
  CHECK(p.call(1000) == 0);
  CHECK(p.call(1000) == 0);
  CHECK(p.call(1000) == doctest::Approx(30));
}

TEST_CASE("a day is the calendar's, whatever the counting") {
  for (const Counting counting : {Counting::sliding, Counting::fixed, Counting::bucket}) {
    Provider p(counting, limit("m", Metric::requests, "day", 1));
    CHECK(p.call(3600) == 0);
    CHECK(p.call(7200) == doctest::Approx(86'400 - 7200));
    CHECK(p.call(86'400) == 0);
  }
}

TEST_CASE("tokens are counted as they come, and a refused call counts nothing") {
  Provider p(Counting::sliding, limit("m", Metric::input_tokens, "60s", 100));
  CHECK(p.call(0, 60) == 0);
  CHECK(p.call(1, 50) == doctest::Approx(59));
  CHECK(p.call(2, 40) == 0);
  CHECK(p.upstream.total().taken == 2);
  CHECK(p.upstream.total().refused == 1);
  CHECK(p.upstream.refused_by(0) == 1);
}

TEST_CASE("a provider counts what it can know of") {
  CHECK(Upstream::counts(limit("m", Metric::requests, "60s", 1)));
  CHECK(Upstream::counts(limit("m", Metric::input_tokens, "day", 1)));
  CHECK_FALSE(Upstream::counts(limit("m", Metric::in_flight, "in_flight", 1)));
  CHECK_FALSE(Upstream::counts(limit("m", Metric::cost_usd, "day", 1)));
  quota::LimitSpec own = limit("m", Metric::requests, "60s", 1);
  own.consumer = "somebody";
  CHECK_FALSE(Upstream::counts(own));
}

TEST_CASE("the way to it takes 0 to the jitter, the same for the same seed") {
  Upstream a({.counting = {}, .phase = {}, .jitter = s(0.5), .seed = 9});
  Upstream b({.counting = {}, .phase = {}, .jitter = s(0.5), .seed = 9});
  Micros longest{0};
  for (int i = 0; i < 1000; ++i) {
    const Micros delay = a.delay();
    CHECK(delay == b.delay());
    CHECK(delay >= Micros(0));
    CHECK(delay <= s(0.5));
    longest = std::max(longest, delay);
  }
  CHECK(longest > s(0.45));
}

TEST_CASE("a modelled refusal reads as a real one") {
  const quota::LimitSpec minute = limit("gemini-2.5-flash", Metric::requests, "60s", 5);
  const quota::LimitSpec day = limit("gemini-2.5-flash", Metric::requests, "day", 20);
  const quota::LimitSpec tokens = limit("gemini-*", Metric::input_tokens, "60s", 1000);
  const quota::LimitSpec hour = limit("m", Metric::requests, "1h", 9);
  const auto error = provider::error_of(429, refusal_body({&minute, &day, &tokens, &hour}, s(12.5)));
  REQUIRE(error);
  CHECK(error->kind == provider::ErrorKind::quota);
  CHECK(error->retry_after == s(12.5));
  REQUIRE(error->violations.size() == 3);
  CHECK(error->violations[0].metric == Metric::requests);
  CHECK(error->violations[0].period == provider::QuotaPeriod::minute);
  CHECK(error->violations[0].amount == 5);
  CHECK(error->violations[0].model == "gemini-2.5-flash");
  CHECK(error->violations[1].period == provider::QuotaPeriod::day);
  CHECK(error->violations[2].metric == Metric::input_tokens);
  CHECK(error->violations[2].model.empty());
  const auto nameless = provider::error_of(429, refusal_body({&hour}, s(1)));
  REQUIRE(nameless);
  CHECK(nameless->violations.empty());
}

}  // namespace weir::simulation
