#include "simulation/summary.hpp"

#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>

#include "fixture.hpp"

namespace weir::simulation {
namespace {

// A world whose decisions are summed up.
struct Counted {
  explicit Counted(const admission::Setup& setup)
      : engine(setup, catalog::Catalog::embedded(), *parse_rfc3339("2027-02-01T08:00:00Z"), {},
               [this](const Decided& decided) { summary.add(decided, engine); }) {}
  void call(double at, double wait = 0, std::int64_t tokens = 0) {
    Arrival arrival;
    arrival.at = s(at);
    arrival.model = "m";
    arrival.latency = s(0.5);
    arrival.wait = s(wait);
    arrival.input_tokens = tokens;
    REQUIRE(engine.arrive(arrival));
  }
  Summary summary;
  Engine engine;
};

}  // namespace

TEST_CASE("totals count each decision, the limit that refused, and how full it was") {
  Counted run(
      one_project({limit("m", Metric::requests, "60s", 2), limit("m", Metric::input_tokens, "day", 50)}));
  run.call(10, 0, 10);
  run.call(11, 0, 10);
  run.call(12);
  run.call(13, 60, 10);
  run.call(200, 0, 1000);
  run.engine.finish();
  CHECK(run.summary.arrivals() == 5);
  CHECK(run.summary.admitted() == 3);
  CHECK(run.summary.denied() == 2);
  CHECK(run.summary.timed_out() == 0);
  CHECK(run.summary.never_fit() == 1);
  CHECK(run.summary.began() == s(10));
  CHECK(run.summary.ended() == s(200));
  CHECK(run.summary.waits().count() == 1);
  CHECK(seconds(run.summary.waits().longest()) == doctest::Approx(57.3).epsilon(0.01));

  const auto limits = run.summary.limits(run.engine);
  REQUIRE(limits.size() == 2);
  CHECK(limits[0].spec.name == "m/input_tokens/day");
  CHECK(limits[0].denied == 1);
  CHECK(limits[0].charged == 30);
  CHECK(limits[0].windows == 1);
  CHECK(limits[0].share() == doctest::Approx(0.6));
  CHECK(limits[1].spec.name == "m/requests/60s");
  CHECK(limits[1].denied == 1);
  CHECK(limits[1].charged == 3);
  CHECK(limits[1].fullest == 2);
  CHECK(limits[1].windows == 4);  // 190 s
  CHECK(limits[1].share() == doctest::Approx(3.0 / 8));
}

TEST_CASE("a run over midnight touches two days") {
  Counted run(one_project({limit("m", Metric::requests, "day", 2)}));
  run.call(86'000);
  run.call(86'500);
  run.engine.finish();
  CHECK(run.summary.limits(run.engine).at(0).windows == 2);
}

TEST_CASE("nothing happened: no limits, no waits") {
  Counted run(one_project({limit("m", Metric::requests, "day", 2)}));
  run.engine.finish();
  CHECK(run.summary.arrivals() == 0);
  CHECK(run.summary.limits(run.engine).empty());
  CHECK(run.summary.waits().quantile(0.5) == Micros(0));
}

TEST_CASE("quantiles of durations are exact to a sixty-fourth, the longest is exact") {
  Durations durations;
  std::vector<std::int64_t> all;
  for (std::int64_t i = 0; i < 5000; ++i) {
    all.push_back((i * i * 7919) % 61'000'003);
    durations.add(Micros(all.back()));
  }
  durations.add(Micros(0));
  all.push_back(0);
  std::sort(all.begin(), all.end());
  for (const double share : {0.0, 0.01, 0.5, 0.9, 0.99, 1.0}) {
    const auto rank = std::max<std::size_t>(1, static_cast<std::size_t>(std::ceil(share * 5001)));
    const std::int64_t exact = all[rank - 1];
    const std::int64_t told = durations.quantile(share).count();
    CHECK(told >= exact);
    CHECK(told <= exact + exact / 64 + 1);
  }
  CHECK(durations.longest().count() == all.back());
  Durations far;
  far.add(std::chrono::hours(24 * 365 * 100));
  CHECK(far.quantile(0.5) == far.longest());
}

}  // namespace weir::simulation
