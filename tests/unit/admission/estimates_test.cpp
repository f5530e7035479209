#include "admission/estimates.hpp"

#include <random>

#include <doctest/doctest.h>

#include "fixture.hpp"

namespace weir::admission {
namespace {

constexpr double kP95 = 0.95;

Ratios of(std::initializer_list<double> ratios) {
  Ratios all;
  for (const double ratio : ratios) all.add(ratio);
  return all;
}

Setup two_limits(std::int64_t tokens) {
  return {.projects = {project("default", {limit({"m"}, Metric::input_tokens, "60s", tokens),
                                           limit({"m"}, Metric::total_tokens, "day", 20 * tokens)})},
          .pools = {},
          .consumers = {}};
}

// Admits a call with a raw estimate; what it was charged.
std::int64_t charged(Bench& b, std::int64_t raw, std::string_view consumer = "default",
                     bool uncertain = false) {
  Ask ask = b.ask("m", 0, consumer);
  ask.guess = {.input = raw, .uncertain = uncertain};
  const Answer answer = b.service.admit(ask, b.now);
  REQUIRE(answer.verdict == Verdict::admitted);
  b.last = answer.call->id;
  return answer.call->held.input_tokens;
}

// Ten calls of 1000 that use `actual`, with an hour between them and what follows.
void teach(Bench& b, std::int64_t actual, std::string_view consumer = "default", bool uncertain = false) {
  for (int i = 0; i < Ratios::kFewest; ++i) {
    charged(b, 1000, consumer, uncertain);
    b.service.settle(b.last, used(actual, 1), b.now);
    b.advance(std::chrono::hours(1));
  }
}

}  // namespace

TEST_CASE("a quantile over too few ratios is 1") {
  CHECK(Ratios().factor(kP95) == 1);
  CHECK(of({3, 3, 3, 3, 3, 3, 3, 3, 3}).factor(kP95) == 1);
  CHECK(of({3, 3, 3, 3, 3, 3, 3, 3, 3, 3}).factor(kP95) == doctest::Approx(3).epsilon(0.05));
}

TEST_CASE("the running quantile is near the true one, whatever the shape") {
  std::mt19937 random(20261122);
  std::lognormal_distribution<double> near_one(0.0, 0.3);
  std::uniform_real_distribution<double> below(0.2, 0.6);
  for (const double quantile : {0.5, 0.9, 0.95, 0.99}) {
    for (int shape = 0; shape < 2; ++shape) {
      Ratios ratios;
      std::vector<double> all;
      for (int i = 0; i < 400; ++i) {
        all.push_back(shape == 0 ? near_one(random) : below(random));
        ratios.add(all.back());
      }
      std::sort(all.begin(), all.end());
      const double truth = all[static_cast<std::size_t>(quantile * 400)];
      CAPTURE(quantile);
      CHECK(ratios.factor(quantile) == doctest::Approx(truth).epsilon(0.1));
    }
  }
}

TEST_CASE("ratios beyond the histogram count at its ends") {
  CHECK(of({1e9, 1e9, 1e9, 1e9, 1e9, 1e9, 1e9, 1e9, 1e9, 1e9}).factor(kP95) <= 16);
  CHECK(of({1e-9, 1e-9, 1e-9, 1e-9, 1e-9, 1e-9, 1e-9, 1e-9, 1e-9, 1e-9}).factor(kP95) >= 1.0 / 16);
}

TEST_CASE("what was long ago is forgotten: the newest few hundred decide") {
  Ratios ratios;
  for (int i = 0; i < 10'000; ++i) ratios.add(4);
  CHECK(ratios.factor(kP95) == doctest::Approx(4).epsilon(0.05));
  for (int i = 0; i < 2000; ++i) ratios.add(0.5);
  CHECK(ratios.factor(kP95) == doctest::Approx(0.5).epsilon(0.1));
}

TEST_CASE("ratios are kept as text, and damaged text is not taken") {
  const Ratios ratios = of({0.001, 0.5, 1, 1, 1, 1.1, 2, 2, 5, 100, 100});
  const auto read = Ratios::parse(ratios.text());
  REQUIRE(read);
  CHECK(read->text() == ratios.text());
  CHECK(read->factor(kP95) == ratios.factor(kP95));
  CHECK(Ratios::parse("")->factor(kP95) == 1);
  for (const char* wrong :
       {"x", "1", "1:", ":1", "128:1", "1:1;", "1:-1", "1:600", "1:300 2:300", "1:99999999"}) {
    CAPTURE(wrong);
    CHECK_FALSE(Ratios::parse(wrong));
  }
  const std::string text = ratios.text();
  for (std::size_t end = 0; end < text.size(); ++end) (void)Ratios::parse(text.substr(0, end));
}

TEST_CASE("an estimate is charged as it is until there is experience, then corrected by it") {
  Bench b(two_limits(1'000'000));
  CHECK(charged(b, 1000) == 1000);
  b.service.cancel(b.last, b.now);
  teach(b, 1500);
  CHECK(charged(b, 1000) == doctest::Approx(1500).epsilon(0.05));
  CHECK(charged(b, 10) == doctest::Approx(15).epsilon(0.1));
}

TEST_CASE("an estimate that was too high is corrected downwards") {
  Bench b(two_limits(1'000'000));
  teach(b, 400);
  CHECK(charged(b, 1000) == doctest::Approx(400).epsilon(0.05));
}

TEST_CASE("what an estimate is short of stays charged") {
  Bench b(two_limits(1'000'000));
  charged(b, 1000);
  b.service.settle(b.last, used(7000, 0), b.now);
  CHECK(b.view("m/input_tokens/60s").used == 7000);
}

TEST_CASE("a correction never takes a call beyond what a limit allows") {
  Bench b(two_limits(2000));
  teach(b, 1900);
  CHECK(charged(b, 1800) == 2000);
  b.service.cancel(b.last, b.now);
  CHECK(charged(b, 1'000'000) == 2000);  // nor does the raw estimate
  b.service.cancel(b.last, b.now);
  // A number that the caller states is taken at its word.
  CHECK(b.admit("m", 2001) == Verdict::never_fits);
}

TEST_CASE("the most that a request may answer is held, as far as limits allow it") {
  Bench b(two_limits(2000));
  Ask ask = b.ask("m");
  ask.guess = {.input = 1500, .output = 65'536};
  const Answer answer = b.service.admit(ask, b.now);
  REQUIRE(answer.verdict == Verdict::admitted);
  CHECK(answer.call->held.input_tokens == 1500);
  CHECK(answer.call->held.output_tokens == 40'000 - 1500);
}

TEST_CASE("a consumer with few calls borrows its model's experience, then has its own") {
  Bench b(two_limits(1'000'000));
  teach(b, 2000, "translator");
  CHECK(charged(b, 1000, "newcomer") == doctest::Approx(2000).epsilon(0.05));
  b.service.cancel(b.last, b.now);
  teach(b, 1000, "newcomer");
  CHECK(charged(b, 1000, "newcomer") == doctest::Approx(1000).epsilon(0.1));
  CHECK(charged(b, 1000, "translator") == doctest::Approx(2000).epsilon(0.05));
}

TEST_CASE("estimates that rest on assumed figures are corrected apart") {
  Bench b(two_limits(1'000'000));
  teach(b, 9000, "default", true);
  CHECK(charged(b, 1000) == 1000);
  CHECK(charged(b, 1000, "default", true) == doctest::Approx(9000).epsilon(0.05));
}

TEST_CASE("only a real usage of an estimated call teaches") {
  Bench b(two_limits(1'000'000));
  for (int i = 0; i < 3 * Ratios::kFewest; ++i) {
    b.admit("m", 1000);  // stated
    b.service.settle(b.last, used(3000, 1), b.now);
    charged(b, 1000);
    b.service.settle(b.last, Settlement{}, b.now);  // without usage
    charged(b, 1000);
    b.service.settle(b.last, used(0, 1), b.now);  // nothing counted
    charged(b, 1000);
    b.service.cancel(b.last, b.now);
    b.advance(std::chrono::hours(1));
  }
  CHECK(charged(b, 1000) == 1000);
}

TEST_CASE("a pool's projects each have their own correction") {
  Setup setup = two_limits(1'000'000);
  setup.projects.push_back(project("other", {limit({"m"}, Metric::input_tokens, "60s", 1'000'000)}));
  setup.pools.push_back({.name = "pool", .projects = {"default", "other"}, .fallback = {}});
  Bench b(setup);
  teach(b, 3000);
  Ask ask = b.ask("m", 0, "default", "pool");
  ask.guess = {.input = 400'000};
  const Answer first = b.service.admit(ask, b.now);
  REQUIRE(first.verdict == Verdict::admitted);
  CHECK(first.lane->project_name == "default");
  CHECK(first.call->held.input_tokens == 1'000'000);
  const Answer second = b.service.admit(ask, b.now);
  REQUIRE(second.verdict == Verdict::admitted);
  CHECK(second.lane->project_name == "other");
  CHECK(second.call->held.input_tokens == 400'000);
}

TEST_CASE("what changes is told once a minute, some at a time, and all of it at the end") {
  const ledger::TempDirectory directory;
  ledger::Loop loop;
  ledger::Ledger ledger({.path = directory.file()}, loop.post());
  Estimates estimates(kP95);
  SteadyTime now{Micros(1'000'000'000)};
  const auto told = [&](Estimates::Tell how) {
    estimates.tell(ledger, now, how);
    bool drained = false;
    ledger.drain([&drained] { drained = true; });
    REQUIRE(loop.run_until([&drained] { return drained; }));
    return ledger::Reader(directory.file()).corrections();
  };
  const auto ratios_of = [](const std::vector<ledger::Correction>& all, ledger::NameId consumer) {
    const auto found =
        std::find_if(all.begin(), all.end(), [&](const auto& each) { return each.key.consumer == consumer; });
    return found == all.end() ? std::string() : found->ratios;
  };
  for (ledger::NameId consumer = 1; consumer <= 700; ++consumer)
    estimates.learn({1, 2, consumer}, false, 100, 100);
  CHECK(told(Estimates::Tell::some).size() == 500);
  CHECK(told(Estimates::Tell::some).size() == 701);  // and one for the model
  estimates.learn({1, 2, 7}, false, 100, 100);
  const std::string once = ratios_of(told(Estimates::Tell::some), 7);
  CHECK(once.ends_with(":1"));
  now += std::chrono::minutes(1);
  CHECK(ratios_of(told(Estimates::Tell::some), 7).ends_with(":2"));
  estimates.learn({1, 2, 7}, false, 100, 100);
  CHECK(ratios_of(told(Estimates::Tell::all), 7).ends_with(":3"));

  Estimates restored(kP95);
  restored.restore(ledger::Reader(directory.file()).corrections());
  CHECK(restored.corrected({1, 2, 9}, false, 1000) == estimates.corrected({1, 2, 9}, false, 1000));
}

TEST_CASE("what was learned survives a restart, and calls open over it still teach") {
  const ledger::TempDirectory directory;
  ledger::Loop loop;
  const Setup setup = two_limits(1'000'000);
  Now now{SteadyTime(Micros(1'000'000'000'000)), *parse_rfc3339("2026-11-22T12:00:00Z")};
  std::vector<ledger::CallId> open;
  const auto run = [&](const auto& work) {
    ledger::Ledger ledger({.path = directory.file()}, loop.post());
    telemetry::Registry registry;
    Service service(setup, catalog::Catalog::embedded(), ledger, registry);
    ledger::Reader reader(directory.file());
    service.recover(reader, now);
    work(service);
    service.dismiss_waiting(now);
    bool drained = false;
    ledger.drain([&drained] { drained = true; });
    REQUIRE(loop.run_until([&drained] { return drained; }));
  };
  const auto admit = [&](Service& service, std::int64_t raw) {
    const Answer answer = service.admit({.route = service.route("default", "m", "default", now),
                                         .want = {},
                                         .guess = {.input = raw},
                                         .priority = {},
                                         .lease = std::chrono::hours(1)},
                                        now);
    REQUIRE(answer.verdict == Verdict::admitted);
    return *answer.call;
  };
  run([&](Service& service) {
    for (int i = 0; i < Ratios::kFewest - 1; ++i) service.settle(admit(service, 1000).id, used(1500, 1), now);
    open.push_back(admit(service, 1000).id);
  });
  run([&](Service& service) {
    CHECK(admit(service, 1000).held.input_tokens == 1000);
    service.settle(open.back(), used(1500, 1), now);
    CHECK(admit(service, 1000).held.input_tokens == doctest::Approx(1500).epsilon(0.05));
  });
  run([&](Service& service) {
    CHECK(admit(service, 1000).held.input_tokens == doctest::Approx(1500).epsilon(0.05));
  });
}

}  // namespace weir::admission
