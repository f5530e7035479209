// What the service does while its ledger fails, and with what that refused.
#include <doctest/doctest.h>

#include "tests/unit/admission/failing_journal.hpp"
#include "tests/unit/admission/fixture.hpp"
#include "tests/unit/ledger/faulty_disk.hpp"

namespace weir::admission {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Desk {
  explicit Desk(const Setup& setup) : service(setup, catalog::Catalog::embedded(), journal, metrics) {}

  Answer admit(std::string_view model, Micros wait = {}, std::string name = {}) {
    Ask ask;
    ask.route = service.route("default", model, consumer, now);
    ask.wait = wait;
    if (short_lease) ask.lease = milliseconds(100);
    return service.admit(ask, now, [this, name](const Answer& answer) {
      ends.emplace_back(name, answer.verdict);
      if (after_each) after_each();
    });
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
  std::function<void()> after_each;
  bool short_lease = false;
  std::string consumer = "default";
};

Setup per_minute(std::int64_t calls) {
  return {.projects = {project("default", {limit({"m"}, Metric::requests, "60s", calls)})},
          .pools = {},
          .consumers = {}};
}

}  // namespace

TEST_CASE("while the ledger fails, who waits goes on waiting, and goes first when it is well again") {
  Desk d(per_minute(1));
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
  Desk d(per_minute(1));
  d.use("m");
  REQUIRE(d.admit("m", seconds(62), "a").verdict == Verdict::waiting);
  d.journal.failing = true;
  d.advance(seconds(61));
  d.advance(seconds(1));
  CHECK(d.ends == Desk::Ends{{"a", Verdict::ledger_failing}});
  CHECK(d.service.waiting() == 0);
}

TEST_CASE("a newcomer whose turn lets others in hears its own answer, and they theirs, before what follows") {
  Desk d(per_minute(3));
  for (int i = 0; i < 3; ++i) d.use("m");
  std::vector<Verdict> next;
  d.after_each = [&] { next.push_back(d.admit("m").verdict); };
  for (const char* name : {"a", "b"}) REQUIRE(d.admit("m", seconds(90), name).verdict == Verdict::waiting);
  d.journal.failing = true;
  d.advance(seconds(61));
  d.journal.failing = false;
  const Answer newcomer = d.admit("m");
  REQUIRE(newcomer.verdict == Verdict::admitted);
  CHECK(newcomer.call == d.service.open_call(newcomer.call->id));
  CHECK(d.ends == Desk::Ends{{"a", Verdict::admitted}, {"b", Verdict::admitted}});
  CHECK(next == std::vector<Verdict>{Verdict::denied, Verdict::denied});
  CHECK(d.service.open_calls() == 3);
}

TEST_CASE("a newcomer that gets its room of another's answer hears so once") {
  Desk d(per_minute(2));
  for (int i = 0; i < 2; ++i) d.use("m");
  ledger::CallId first = 0;
  d.after_each = [&] {
    // The first of those let in is never sent: there is room again while the newcomer is being decided.
    if (first != 0) d.service.cancel(std::exchange(first, 0), d.now);
  };
  for (const char* name : {"a", "b"}) REQUIRE(d.admit("m", seconds(90), name).verdict == Verdict::waiting);
  d.journal.failing = true;
  d.advance(seconds(61));
  d.journal.failing = false;
  first = d.now.steady.time_since_epoch().count();  // its id, as of the first admission of this moment
  CHECK(d.admit("m", seconds(90), "newcomer").verdict == Verdict::admitted);
  CHECK(d.ends == Desk::Ends{{"a", Verdict::admitted}, {"b", Verdict::admitted}});
  CHECK(d.service.open_calls() == 2);
}

TEST_CASE(
    "a lease that ends while its record waits for a failing disk leaves no charge, no totals, no outcome") {
  ledger::FaultyDisk disk;
  const ledger::TempDirectory directory;
  ledger::Loop loop;
  ledger::Options options{.path = directory.file(), .on_failure = ledger::OnFailure::deny};
  options.retry_first = options.retry_last = milliseconds(1);
  ledger::Ledger ledger(options, loop.post());
  telemetry::Registry metrics;
  Service service(per_minute(10), catalog::Catalog::embedded(), ledger, metrics);
  Now now{SteadyTime(parse_rfc3339("2026-11-22T12:00:00Z")->time_since_epoch()),
          *parse_rfc3339("2026-11-22T12:00:00Z")};
  Ask ask;
  ask.route = service.route("default", "m", "default", now);
  ask.lease = milliseconds(100);
  service.tick(now);

  disk.fail(1, 1 << 30, SQLITE_FULL);
  REQUIRE(service.admit(ask, now).verdict == Verdict::admitted);
  ledger.flush();
  // The loop hears of the failure only after two more looks at the leases.
  for (int i = 0; i < 2; ++i) {
    now.steady += seconds(1);
    now.wall += seconds(1);
    service.tick(now);
  }
  REQUIRE(loop.run_until([&] { return ledger.health().failing && service.open_calls() == 0; }));
  const quota::LimitView view = service.book().view(0, now);
  CHECK(view.used == 0);
  CHECK(view.held == 0);

  disk.heal();
  REQUIRE(loop.run_until([&] { return !ledger.health().failing; }));
  ledger::Reader reader(directory.file());
  CHECK(reader.calls({}).calls.empty());
  ledger::UsageQuery query;
  query.project_zone = [](std::string_view) { return Zone::utc(); };
  CHECK(reader.usage(query).empty());
}

TEST_CASE("a lease ends within a second of the answer to its admission, if that was late") {
  Desk d(per_minute(10));
  d.journal.decided = 0;
  d.service.tick(d.now);
  d.short_lease = true;
  REQUIRE(d.admit("m").verdict == Verdict::admitted);
  d.advance(seconds(1));
  d.advance(seconds(1));
  CHECK(d.service.open_calls() == 1);
  CHECK_FALSE(d.service.next_event());  // no hurry
  d.journal.decided = d.now.steady.time_since_epoch().count();
  d.advance(seconds(1));
  CHECK(d.service.open_calls() == 0);
  CHECK(d.service.book().view(0, d.now).used == 1);
}

TEST_CASE("an admission that the ledger refuses does not count for its consumer's share of the line") {
  Desk d(per_minute(1));
  d.use("m");
  d.consumer = "a";
  REQUIRE(d.admit("m", seconds(600), "a1").verdict == Verdict::waiting);
  REQUIRE(d.admit("m", seconds(600), "a2").verdict == Verdict::waiting);
  d.consumer = "b";
  REQUIRE(d.admit("m", seconds(600), "b1").verdict == Verdict::waiting);
  d.advance(seconds(61));
  REQUIRE(d.ends == Desk::Ends{{"a1", Verdict::admitted}});
  d.journal.refuse({d.now.steady.time_since_epoch().count()});
  REQUIRE(d.service.open_calls() == 0);
  d.advance(seconds(1));
  CHECK(d.ends == Desk::Ends{{"a1", Verdict::admitted}, {"a2", Verdict::admitted}});
}

TEST_CASE("an exploring call that the ledger refuses is over: the next one may go after the usual pause") {
  Setup setup{.projects = {project("default", {}, true)}, .pools = {}, .consumers = {}};
  setup.projects[0].explore = true;
  Desk d(setup);
  const auto explore = [&d] {
    Answer answer = d.admit("gemini-2.5-flash");
    while (answer.verdict == Verdict::admitted && !answer.call->explores) {
      d.service.settle(answer.call->id, used(1, 1), d.now);
      answer = d.admit("gemini-2.5-flash");
    }
    REQUIRE(answer.verdict == Verdict::admitted);
    return answer.call->id;
  };
  d.journal.refuse({explore()});
  d.advance(seconds(61));
  explore();
}

}  // namespace weir::admission
