// The service over a ledger of its own, under a clock of the test's.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "admission/service.hpp"
#include "tests/unit/ledger/fixture.hpp"
#include "time/rfc3339.hpp"

namespace weir::admission {

inline quota::LimitSpec limit(std::vector<std::string> models, Metric metric, std::string_view window,
                              std::int64_t amount, std::string zone = "America/Los_Angeles") {
  quota::LimitSpec spec;
  spec.models = std::move(models);
  spec.metric = metric;
  spec.window = *quota::parse_window(window);
  spec.amount = amount;
  spec.name = quota::limit_name(spec.models, metric, spec.window);
  const bool calendar =
      spec.window.kind != quota::WindowKind::sliding && spec.window.kind != quota::WindowKind::in_flight;
  if (calendar) spec.time_zone = std::move(zone);
  return spec;
}

inline ProjectSetup project(std::string name, std::vector<quota::LimitSpec> limits,
                            bool use_catalog = false) {
  return {.name = std::move(name),
          .provider = "gemini",
          .tier = "free",
          .as_of = "",
          .use_catalog = use_catalog,
          .time_zone = "America/Los_Angeles",
          .limits = std::move(limits)};
}

struct Bench {
  explicit Bench(const Setup& setup)
      : ledger({.path = directory.file()}, loop.post()),
        service(setup, catalog::Catalog::embedded(), ledger, metrics) {
    ledger::Reader reader(directory.file());
    service.recover(reader, now);
  }

  Ask ask(std::string_view model, std::int64_t input_tokens = 0, std::string_view consumer = "default",
          std::string_view project = "default") {
    Ask ask;
    ask.route = service.route(project, model, consumer, now);
    REQUIRE(ask.route != nullptr);
    ask.want.input_tokens = input_tokens;
    return ask;
  }
  Verdict admit(std::string_view model, std::int64_t input_tokens = 0,
                std::string_view consumer = "default") {
    const Answer answer = service.admit(ask(model, input_tokens, consumer), now);
    if (answer.verdict == Verdict::admitted) last = answer.call->id;
    return answer.verdict;
  }
  quota::LimitView view(std::string_view limit, std::string_view project = "default") {
    for (const quota::LimitId id : service.directory().project(project)->limits) {
      if (service.book().spec(id).name == limit) return service.book().view(id, now);
    }
    FAIL("no limit ", std::string(limit));
    return {};
  }
  void advance(Micros by) {
    now.steady += by;
    now.wall += by;
    service.tick(now);
  }
  void drain() {
    bool drained = false;
    ledger.drain([&drained] { drained = true; });
    REQUIRE(loop.run_until([&drained] { return drained; }));
  }
  ledger::Call read(ledger::CallId id) {
    drain();
    return *ledger::Reader(directory.file()).call(id);
  }

  ledger::TempDirectory directory;
  ledger::Loop loop;
  telemetry::Registry metrics;
  Now now{SteadyTime(parse_rfc3339("2026-11-22T12:00:00Z")->time_since_epoch()),
          *parse_rfc3339("2026-11-22T12:00:00Z")};
  ledger::Ledger ledger;
  Service service;
  ledger::CallId last = 0;  // admitted
};

inline Settlement used(std::int64_t input, std::int64_t output) {
  Settlement settlement;
  settlement.usage = Usage{.input_tokens = input, .output_tokens = output};
  return settlement;
}

}  // namespace weir::admission
