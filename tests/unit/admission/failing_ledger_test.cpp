// What the service does while its ledger fails, and with what that refused.
#include <doctest/doctest.h>

#include "tests/unit/admission/failing_journal.hpp"
#include "tests/unit/admission/fixture.hpp"

namespace weir::admission {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Desk {
  explicit Desk(const Setup& setup) : service(setup, catalog::Catalog::embedded(), journal, metrics) {}

  Answer admit(std::string_view model, Micros wait = {}, std::string name = {}) {
    Ask ask;
    ask.route = service.route("default", model, "default", now);
    ask.wait = wait;
    return service.admit(ask, now,
                         [this, name](const Answer& answer) { ends.emplace_back(name, answer.verdict); });
  }
  void use(std::string_view model) {
    const Answer answer = admit(model);
    REQUIRE(answer.verdict == Verdict::admitted);
    service.settle(answer.call->id, used(1, 1), now);
  }
  void advance(Micros by) {
    now.steady += by;
    now.wall += by;
    service.tick(now);
  }

  FailingJournal journal;
  telemetry::Registry metrics;
  Now now{SteadyTime(parse_rfc3339("2026-11-22T12:00:00Z")->time_since_epoch()),
          *parse_rfc3339("2026-11-22T12:00:00Z")};
  Service service;
  using Ends = std::vector<std::pair<std::string, Verdict>>;
  Ends ends;  // of those that waited
};

Setup one_a_minute() {
  return {.projects = {project("default", {limit({"m"}, Metric::requests, "60s", 1)})},
          .pools = {},
          .consumers = {}};
}

}  // namespace

TEST_CASE("while the ledger fails, who waits goes on waiting, and goes first when it is well again") {
  Desk d(one_a_minute());
  d.use("m");
  REQUIRE(d.admit("m", seconds(90), "a").verdict == Verdict::waiting);
  d.journal.failing = true;
  d.advance(seconds(61));
  CHECK(d.ends.empty());
  CHECK(d.service.waiting() == 1);
  CHECK(d.service.open_calls() == 0);
  CHECK(d.admit("m").verdict == Verdict::ledger_failing);
  REQUIRE(d.service.next_event());
  CHECK(*d.service.next_event() > d.now.steady);  // nothing to do until something changes

  d.journal.failing = false;
  CHECK(d.admit("m").verdict == Verdict::denied);
  CHECK(d.ends == Desk::Ends{{"a", Verdict::admitted}});
}

TEST_CASE("whose patience ends while the ledger fails is told so") {
  Desk d(one_a_minute());
  d.use("m");
  REQUIRE(d.admit("m", seconds(62), "a").verdict == Verdict::waiting);
  d.journal.failing = true;
  d.advance(seconds(61));
  d.advance(seconds(1));
  CHECK(d.ends == Desk::Ends{{"a", Verdict::ledger_failing}});
  CHECK(d.service.waiting() == 0);
}

}  // namespace weir::admission
