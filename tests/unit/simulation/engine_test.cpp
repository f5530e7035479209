#include "simulation/engine.hpp"

#include <random>

#include <doctest/doctest.h>

#include "fixture.hpp"
#include "simulation/summary.hpp"

namespace weir::simulation {
namespace {

// Many calls of all kinds, the same for the same seed.
Log busy_hour(std::uint64_t seed, const std::optional<UpstreamOptions>& upstream) {
  World world(
      one_project({limit("*", Metric::requests, "60s", 20), limit("*", Metric::input_tokens, "60s", 5000),
                   limit("*", Metric::requests, "day", 700)}),
      "2027-02-01T07:30:00Z", upstream);
  std::mt19937_64 random(seed);
  double at = 0;
  for (int i = 0; i < 2000; ++i) {
    at += static_cast<double>(random() % 4000) / 1000;
    world.call(at, std::to_string(i), static_cast<double>(random() % 3) * 20,
               static_cast<double>(random() % 8000) / 1000, static_cast<std::int64_t>(random() % 900));
  }
  world.engine.finish();
  Log log = world.log;
  if (world.engine.upstream() != nullptr)
    log.push_back(fmt::format("{} refused", world.engine.upstream()->total().refused));
  return log;
}

}  // namespace

TEST_CASE("a limit denies what it has no room for, and admits again a window later") {
  World world(one_project({limit("m", Metric::requests, "60s", 2)}));
  world.call(0, "a");
  world.call(0, "b");
  world.call(10, "c");
  world.call(61, "d");
  world.engine.finish();
  CHECK(world.log == Log{"0 a admitted", "0 b admitted", "10 c denied m/requests/60s", "61 d admitted"});
}

TEST_CASE("a waiting call is decided when there is room, before calls that come later") {
  World world(one_project({limit("m", Metric::in_flight, "in_flight", 1)}));
  world.call(0, "a", 0, 5);
  world.call(1, "b", 10, 3);
  world.call(2, "c", 4.5, 1);
  world.call(9, "d");
  world.engine.finish();
  REQUIRE(world.log.size() == 4);
  CHECK(world.log[0] == "0 a admitted");
  CHECK(world.log[1] == "5 b admitted");
  CHECK(world.log[2].ends_with(" c timed_out m/in_flight"));  // by 6.5
  CHECK(world.log[3] == "9 d admitted");
}

TEST_CASE("a wait for a window ends to the moment at which it opens") {
  World world(one_project({limit("m", Metric::requests, "60s", 1)}));
  world.call(0, "a", 0, 1);
  world.call(5, "b", 60, 1);
  world.engine.finish();
  REQUIRE(world.log.size() == 2);
  // Sent at 0, counted until the guard of 0.25 s, which is rounded up to 1/256 of the window.
  const double opens = 60.25 + 60.0 / 256;
  CHECK(world.engine.elapsed() <= s(opens + 1));
  CHECK(world.log[1].starts_with("60."));
  CHECK(world.log[1].ends_with(" b admitted"));
}

TEST_CASE("an answer frees its room before a call of the same moment arrives") {
  World world(one_project({limit("m", Metric::in_flight, "in_flight", 1)}));
  world.call(0, "a", 0, 2);
  world.call(2, "b", 0, 2);
  world.engine.finish();
  CHECK(world.log == Log{"0 a admitted", "2 b admitted"});
}

TEST_CASE("a day ends at its zone's midnight") {
  // Half an hour before midnight in Los Angeles.
  World world(one_project({limit("m", Metric::requests, "day", 1)}), "2027-02-01T07:30:00Z");
  world.call(0, "a");
  world.call(1799, "b");
  world.call(1801, "c");
  world.call(1801 + 86'400 - 2, "d");
  world.call(1801 + 86'400, "e");
  world.engine.finish();
  CHECK(world.log == Log{"0 a admitted", "1799 b denied m/requests/day", "1801 c admitted",
                         "88199 d denied m/requests/day", "88201 e admitted"});
}

TEST_CASE("a pool falls back to its next project, then to the next model") {
  const std::vector<quota::LimitSpec> limits = {limit("pro", Metric::requests, "day", 1),
                                                limit("flash", Metric::requests, "day", 1)};
  World world({.projects = {project("a", limits), project("b", limits)},
               .pools = {{.name = "prod", .projects = {"a", "b"}, .fallback = {{"pro", {"flash"}}}}},
               .consumers = {}});
  for (int i = 0; i < 5; ++i) world.call(i, std::to_string(i), 0, 1, 0, "pro", "prod");
  world.engine.finish();
  CHECK(world.models == Log{"a/pro", "b/pro", "a/flash", "b/flash"});
  REQUIRE(world.log.size() == 5);
  CHECK(world.log[4].find("denied") != std::string::npos);
}

TEST_CASE("a call whose answer takes longer than any lease keeps its charge") {
  World world(
      one_project({limit("m", Metric::in_flight, "in_flight", 1), limit("m", Metric::requests, "day", 2)}));
  world.call(0, "a", 0, 5000);
  world.call(3000, "b");
  world.call(3700, "c");
  world.call(4000, "d");
  world.engine.finish();
  CHECK(world.log ==
        Log{"0 a admitted", "3000 b denied m/in_flight", "3700 c admitted", "4000 d denied m/requests/day"});
}

TEST_CASE("an unknown project is told, and decides nothing") {
  World world(one_project({}));
  CHECK_FALSE(world.call(0, "a", 0, 1, 0, "m", "elsewhere"));
  CHECK(world.log.empty());
}

TEST_CASE("the same arrivals are decided the same way, with and without a provider") {
  const std::optional<UpstreamOptions> provider =
      UpstreamOptions{.counting = Counting::fixed, .phase = s(17), .jitter = s(1), .seed = 3};
  CHECK(busy_hour(1, {}) == busy_hour(1, {}));
  CHECK(busy_hour(1, provider) == busy_hour(1, provider));
  CHECK(busy_hour(1, {}) != busy_hour(2, {}));
  CHECK(busy_hour(1, {}).size() == 2000);
}

TEST_CASE("a provider with the same limits refuses nothing within the guard") {
  for (const Counting counting : {Counting::sliding, Counting::fixed, Counting::bucket}) {
    const Log log =
        busy_hour(7, UpstreamOptions{.counting = counting, .phase = s(31), .jitter = s(0.25), .seed = 1});
    CHECK(log.back() == "0 refused");
  }
}

TEST_CASE("the service learns from a modelled refusal as from a real one") {
  // The provider's minute starts when the late call reaches it, so it still counts the first when the second
  // comes.
  World world(one_project({limit("m", Metric::requests, "60s", 1)}), "2027-02-01T08:00:00Z",
              UpstreamOptions{.counting = Counting::sliding, .phase = {}, .jitter = s(40), .seed = 2});
  for (int i = 0; i < 40; ++i) world.call(i * 61, std::to_string(i), 0, 1);
  world.engine.finish();
  REQUIRE(world.engine.upstream()->total().refused > 0);
  CHECK(world.engine.refused_upstream(0) == world.engine.upstream()->total().refused);
  // A refusal closes the limit for a window: calls that there was room for are denied.
  CHECK(std::any_of(world.log.begin(), world.log.end(), [](const std::string& line) {
    return line.find("denied m/requests/60s") != std::string::npos;
  }));
}

TEST_CASE("an empty year costs nothing and decides as if it had passed slowly") {
  World world(one_project({limit("m", Metric::requests, "day", 1)}));
  world.call(0, "a");
  world.call(31'536'000, "b");
  world.engine.finish();
  CHECK(world.log == Log{"0 a admitted", "3.1536e+07 b admitted"});
}

}  // namespace weir::simulation
