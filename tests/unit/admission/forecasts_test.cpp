#include "admission/forecasts.hpp"

#include <doctest/doctest.h>

#include "admission/history.hpp"

#include "fixture.hpp"

namespace weir::admission {
namespace {

using namespace std::chrono_literals;
using quota::Outlook;

Setup one_project(std::vector<quota::LimitSpec> limits) {
  Setup setup;
  setup.projects.push_back(project("default", std::move(limits)));
  return setup;
}

quota::LimitId id_of(Bench& bench, std::string_view limit) {
  for (const quota::LimitId id : bench.service.directory().project("default")->limits) {
    if (bench.service.book().spec(id).name == limit) return id;
  }
  FAIL("no limit ", std::string(limit));
  return 0;
}

quota::Forecast forecast(Bench& bench, std::string_view limit) {
  const quota::LimitId id = id_of(bench, limit);
  return bench.service.forecasts().forecast(id, bench.service.book().view(id, bench.now), bench.now);
}

void call(Bench& bench) {
  REQUIRE(bench.admit("m") == Verdict::admitted);
  REQUIRE(bench.service.settle(bench.last, used(100, 10), bench.now).verdict == SettleVerdict::settled);
}

void learn(Bench& bench) {
  bench.drain();
  ledger::Reader reader(bench.directory.file());
  const auto question = ask_history(bench.service.directory(), bench.service.book(), bench.now);
  bench.service.forecasts().learn(read_history(reader, question));
}

TEST_CASE("calls make a pace, and a pace a forecast") {
  Bench bench(one_project({limit({"m"}, Metric::requests, "day", 100)}));
  CHECK(forecast(bench, "m/requests/day").outlook == Outlook::unknown);
  for (int minute = 0; minute < 60; ++minute) {
    call(bench);
    bench.advance(1min);
  }
  const quota::Forecast hourly = forecast(bench, "m/requests/day");
  CHECK(hourly.pace_per_hour.value() == doctest::Approx(60).epsilon(0.05));
  CHECK(hourly.outlook == Outlook::runs_out);
  CHECK(*hourly.exhausts_at > bench.now.wall + 35min);
  CHECK(*hourly.exhausts_at < bench.now.wall + 45min);
}

TEST_CASE("a limit that comes into being later has had the pace of nothing before") {
  Setup setup = one_project({});
  setup.projects.front().use_catalog = true;
  Bench bench(setup);
  bench.advance(20min);
  for (int i = 0; i < 3; ++i) {
    REQUIRE(bench.admit("gemini-99") == Verdict::admitted);
  }
  const auto& route = *bench.service.route("default", "gemini-99", "default", bench.now);
  for (const quota::LimitId id : route.lanes.front()->limits) {
    const quota::LimitSpec& spec = bench.service.book().spec(id);
    if (spec.metric != Metric::requests || spec.window.kind != quota::WindowKind::day) continue;
    bench.now.steady += 5s;
    bench.now.wall += 5s;
    const auto view = bench.service.book().view(id, bench.now);
    CHECK(bench.service.forecasts().forecast(id, view, bench.now).pace_per_hour.value_or(-1) > 0);
  }
}

TEST_CASE("past hours are read from the ledger, by local hour, and only whole ones since its first call") {
  Bench bench(one_project(
      {limit({"m"}, Metric::requests, "day", 100), limit({"m"}, Metric::input_tokens, "day", 5'000)}));
  learn(bench);  // an empty ledger: nothing is known
  CHECK(forecast(bench, "m/requests/day").outlook == Outlook::unknown);
  // 12:00 UTC is 4 in the morning in Los Angeles. Two calls an hour for a day and a half.
  for (int hour = 0; hour < 36; ++hour) {
    call(bench);
    bench.advance(20min);
    call(bench);
    bench.advance(40min);
  }
  bench.drain();
  ledger::Reader reader(bench.directory.file());
  const auto question = ask_history(bench.service.directory(), bench.service.book(), bench.now);
  const auto habits = read_history(reader, question);
  REQUIRE(habits.size() == bench.service.book().size());
  for (int hour = 0; hour < 24; ++hour) {
    CAPTURE(hour);
    CHECK(habits[id_of(bench, "m/requests/day")].at(hour).value_or(-1) == 2);
    CHECK(habits[id_of(bench, "m/input_tokens/day")].at(hour).value_or(-1) == 200);
  }
}

TEST_CASE("after a restart history makes a forecast before there is a pace") {
  Bench bench(one_project({limit({"m"}, Metric::requests, "day", 100)}));
  for (int hour = 0; hour < 30; ++hour) {
    call(bench);
    bench.advance(1h);
  }
  bench.drain();
  telemetry::Registry registry;
  Service restarted(one_project({limit({"m"}, Metric::requests, "day", 100)}), catalog::Catalog::embedded(),
                    bench.ledger, registry);
  ledger::Reader reader(bench.directory.file());
  restarted.recover(reader, bench.now);
  const auto ask = [&] {
    return restarted.forecasts().forecast(0, restarted.book().view(0, bench.now), bench.now);
  };
  CHECK(ask().outlook == Outlook::unknown);
  restarted.forecasts().learn(
      read_history(reader, ask_history(restarted.directory(), restarted.book(), bench.now)));
  CHECK(ask().outlook == Outlook::lasts);
  CHECK_FALSE(ask().pace_per_hour);
}

TEST_CASE("only limits that run out have the metric") {
  Bench bench(one_project(
      {limit({"m"}, Metric::requests, "day", 30), limit({"m"}, Metric::input_tokens, "day", 1'000'000)}));
  const auto scrape = [&] {
    bench.service.refresh_gauges(bench.now);
    return bench.metrics.snapshot().render();
  };
  const std::string series =
      "weir_quota_exhaustion_timestamp_seconds{project=\"default\",limit=\"m/requests/day\"";
  CHECK(scrape().find("weir_quota_exhaustion_timestamp_seconds{") == std::string::npos);
  for (int minute = 0; minute < 15; ++minute) {
    call(bench);
    bench.advance(1min);
  }
  const std::string text = scrape();
  CHECK(text.find(series) != std::string::npos);
  CHECK(
      text.find("weir_quota_exhaustion_timestamp_seconds{project=\"default\",limit=\"m/input_tokens/day\"") ==
      std::string::npos);
  bench.advance(24h);
  CHECK(scrape().find("weir_quota_exhaustion_timestamp_seconds{") == std::string::npos);
}

}  // namespace
}  // namespace weir::admission
