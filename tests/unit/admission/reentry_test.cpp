// Answers that lead to the next request at once: a connection's next one may have come in already.
#include <doctest/doctest.h>

#include "tests/unit/admission/fixture.hpp"

namespace weir::admission {
namespace {

using std::chrono::seconds;

Setup setup(quota::LimitSpec of_m) {
  return {.projects = {project("default", {std::move(of_m)})},
          .pools = {},
          .consumers = {},
          .max_waiting = 20'000};
}

struct Desk {
  explicit Desk(quota::LimitSpec of_m) : b(setup(std::move(of_m))) {}

  // Puts a call in line; `then` runs as a part of its answer.
  Answer wait(std::string name, Micros patience, std::function<void(const Answer&)> then = {}) {
    Ask ask = b.ask("m");
    ask.wait = patience;
    return b.service.admit(ask, b.now, [this, name, then](const Answer& answer) {
      log.push_back(name + (answer.verdict == Verdict::admitted ? " in" : " out"));
      if (then) then(answer);
    });
  }
  // Uses up all of the limit, which is per minute.
  void use(int calls) {
    for (int i = 0; i < calls; ++i) {
      REQUIRE(b.admit("m") == Verdict::admitted);
      b.service.settle(b.last, used(1, 1), b.now);
    }
  }

  Bench b;
  std::vector<std::string> log;
};

}  // namespace

TEST_CASE("a request that an answer to the line leads to does not pass the line") {
  Desk d(limit({"m"}, Metric::requests, "60s", 2));
  d.use(2);
  Verdict next = Verdict::waiting;
  d.wait("a", seconds(90), [&](const Answer&) { next = d.b.admit("m"); });
  d.wait("b", seconds(90));
  d.b.advance(seconds(61));
  CHECK(d.log == std::vector<std::string>{"a in", "b in"});
  CHECK(next == Verdict::denied);
}

TEST_CASE("nor does one that comes of a refusal, and it joins the line behind the others") {
  Desk d(limit({"m"}, Metric::input_tokens, "60s", 100));
  REQUIRE(d.b.admit("m", 100) == Verdict::admitted);
  const ledger::CallId holder = d.b.last;
  Verdict next = Verdict::denied;
  d.wait("short", seconds(5), [&](const Answer&) { next = d.wait("next", seconds(90)).verdict; });
  d.wait("long", seconds(90));
  d.b.advance(seconds(1));
  d.b.service.settle(holder, used(100, 0), d.b.now);  // for a minute from now: too long for `short`
  CHECK(d.log == std::vector<std::string>{"short out"});
  CHECK(next == Verdict::waiting);
  d.b.advance(seconds(61));
  CHECK(d.log == std::vector<std::string>{"short out", "long in", "next in"});
}

TEST_CASE("a call that ends within its own answer makes room for the next, however many wait") {
  Desk d(limit({"m"}, Metric::in_flight, "in_flight", 1));
  REQUIRE(d.b.admit("m") == Verdict::admitted);
  constexpr int kMany = 10'000;
  for (int i = 0; i < kMany; ++i) {
    d.wait("a", seconds(60), [&](const Answer& answer) { d.b.service.cancel(answer.call->id, d.b.now); });
  }
  d.b.service.settle(d.b.last, used(1, 1), d.b.now);
  CHECK(d.log == std::vector<std::string>(kMany, "a in"));
  CHECK(d.b.service.open_calls() == 0);
  CHECK(d.b.view("m/in_flight").held == 0);
}

TEST_CASE("who leaves between its turn and its answer is not told, and its room is free") {
  Desk d(limit({"m"}, Metric::requests, "60s", 2));
  d.use(2);
  std::uint64_t b = 0;
  d.wait("a", seconds(90), [&](const Answer&) { d.b.service.abandon(b); });
  b = d.wait("b", seconds(90)).ticket;
  d.b.advance(seconds(61));
  CHECK(d.log == std::vector<std::string>{"a in"});
  CHECK(d.b.service.open_calls() == 1);
  CHECK(d.b.view("m/requests/60s").remaining == 1);
}

}  // namespace weir::admission
