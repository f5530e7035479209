#include <doctest/doctest.h>
#include <fmt/format.h>

#include "tests/unit/admission/fixture.hpp"

namespace weir::admission {

TEST_CASE("a pool takes the next project when one has no room, then the fallback model") {
  Setup setup{.projects = {project("a", {limit({"big"}, Metric::requests, "60s", 1)}),
                           project("b", {limit({"big"}, Metric::requests, "60s", 1)})},
              .pools = {{.name = "both", .projects = {"a", "b"}, .fallback = {{"big", {"small"}}}}},
              .consumers = {}};
  Bench b(setup);
  std::vector<std::string> went;
  for (int i = 0; i < 4; ++i) {
    const Answer answer = b.service.admit(b.ask("big", 0, "default", "both"), b.now);
    REQUIRE(answer.verdict == Verdict::admitted);
    went.push_back(answer.lane->project_name + " " + answer.lane->model);
  }
  CHECK(went == std::vector<std::string>{"a big", "b big", "a small", "a small"});
  CHECK(b.service.route("neither", "big", "default", b.now) == nullptr);
}

TEST_CASE("a consumer gets no more than its share, and others get the rest") {
  Bench b({.projects = {project("default", {limit({"m"}, Metric::requests, "60s", 10)})},
           .pools = {},
           .consumers = {{.name = "batch", .max_share = 0.5, .limits = {}}}});
  int batch = 0, chat = 0;
  while (b.admit("m", 0, "batch") == Verdict::admitted) ++batch;
  while (b.admit("m", 0, "chat") == Verdict::admitted) ++chat;
  CHECK(batch == 5);
  CHECK(chat == 5);
  CHECK(b.view("m/requests/60s@batch/share").amount == 5);
}

TEST_CASE(
    "aliases share their model's counters, and a configured limit replaces the published one of its name") {
  Bench b({.projects = {project("default", {limit({"gemini-3-flash"}, Metric::requests, "60s", 2)}, true)},
           .pools = {},
           .consumers = {}});
  CHECK(b.admit("gemini-3-flash-preview") == Verdict::admitted);
  CHECK(b.admit("gemini-3-flash") == Verdict::admitted);
  CHECK(b.admit("gemini-3-flash-preview") == Verdict::denied);
  CHECK(b.view("gemini-3-flash/requests/60s").amount == 2);
}

TEST_CASE("a model that no table lists gets limits of its own that are shown as assumed") {
  Bench b({.projects = {project("default", {}, true)}, .pools = {}, .consumers = {}});
  const Lane* lane = b.ask("gemini-99-unheard-of").route->lanes[0];
  CHECK_FALSE(lane->model_known);
  REQUIRE_FALSE(lane->limits.empty());
  int assumed = 0;
  for (const quota::LimitId id : lane->limits) assumed += b.service.book().spec(id).assumed ? 1 : 0;
  CHECK(assumed > 0);
  for (const quota::LimitId id : b.ask("gemini-2.5-flash").route->lanes[0]->limits) {
    CHECK_FALSE(b.service.book().spec(id).assumed);
  }
}

TEST_CASE("made-up models and consumers are told apart up to a bound, then they are other") {
  Bench b({.projects = {project("default", {limit({"*"}, Metric::requests, "60s", 1'000'000)})},
           .pools = {},
           .consumers = {}});
  for (std::size_t i = 0; i < Directory::kMaxUnlistedModels + 50; ++i) b.ask(fmt::format("model-{}", i));
  CHECK(b.ask("one-more").route->lanes[0]->model == "other");
  CHECK(b.ask("model-1").route->lanes[0]->model == "model-1");
  for (std::size_t i = 0; i < Directory::kMaxUnlistedConsumers + 50; ++i)
    b.ask("model-1", 0, fmt::format("c-{}", i));
  CHECK(b.ask("model-1", 0, "one-more").route->lanes[0]->consumer == "other");
  CHECK(b.service.directory().lanes().size() <=
        Directory::kMaxUnlistedModels + Directory::kMaxUnlistedConsumers + 3);
}

}  // namespace weir::admission
