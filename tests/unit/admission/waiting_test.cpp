#include <doctest/doctest.h>

#include "tests/unit/admission/fixture.hpp"

namespace weir::admission {
namespace {

Setup one_in_flight(std::size_t max_waiting = 1000) {
  return {.projects = {project("default", {limit({"m"}, Metric::in_flight, "in_flight", 1),
                                           limit({"n"}, Metric::in_flight, "in_flight", 1)})},
          .pools = {},
          .consumers = {},
          .max_waiting = max_waiting};
}

// Puts a call in line and notes its end under `name`.
Answer wait(Bench& b, std::string_view model, std::chrono::seconds patience, std::vector<std::string>& log,
            std::string name) {
  Ask ask = b.ask(model);
  ask.wait = patience;
  return b.service.admit(ask, b.now, [&b, &log, name](const Answer& answer) {
    if (answer.verdict == Verdict::admitted) b.last = answer.call->id;
    log.push_back(name + (answer.verdict == Verdict::admitted        ? " admitted"
                          : answer.verdict == Verdict::too_many_open ? " met too many open"
                                                                     : " timed out"));
  });
}

}  // namespace

TEST_CASE("a call with other limits passes the line") {
  Bench b(one_in_flight());
  std::vector<std::string> log;
  REQUIRE(b.admit("m") == Verdict::admitted);
  CHECK(wait(b, "m", std::chrono::seconds(30), log, "a").verdict == Verdict::waiting);
  CHECK(b.admit("n") == Verdict::admitted);
  b.service.settle(b.last, used(1, 1), b.now);
  CHECK(log.empty());
}

TEST_CASE("room goes to the head of the line, not to a newcomer") {
  Bench b(one_in_flight());
  std::vector<std::string> log;
  REQUIRE(b.admit("m") == Verdict::admitted);
  const ledger::CallId holder = b.last;
  wait(b, "m", std::chrono::seconds(30), log, "a");
  wait(b, "m", std::chrono::seconds(30), log, "b");
  b.service.settle(holder, used(1, 1), b.now);
  CHECK(log == std::vector<std::string>{"a admitted"});
  CHECK(b.admit("m") == Verdict::denied);
  b.service.settle(b.last, used(1, 1), b.now);
  CHECK(log == std::vector<std::string>{"a admitted", "b admitted"});
  CHECK(b.service.waiting() == 0);
}

TEST_CASE("a call whose moment lies beyond its patience is refused at once") {
  Bench b({.projects = {project("default", {limit({"m"}, Metric::requests, "60s", 1)})},
           .pools = {},
           .consumers = {}});
  std::vector<std::string> log;
  REQUIRE(b.admit("m") == Verdict::admitted);
  CHECK(wait(b, "m", std::chrono::seconds(59), log, "a").verdict == Verdict::denied);
  CHECK(wait(b, "m", std::chrono::seconds(61), log, "b").verdict == Verdict::waiting);
  b.service.settle(b.last, used(1, 1), b.now);
  b.advance(std::chrono::milliseconds(60'500));
  CHECK(log == std::vector<std::string>{"b admitted"});
}

TEST_CASE("who runs out of patience is told, who left is not, and the line is bounded") {
  Bench b(one_in_flight(2));
  std::vector<std::string> log;
  REQUIRE(b.admit("m") == Verdict::admitted);
  const Answer a = wait(b, "m", std::chrono::seconds(5), log, "a");
  const Answer gone = wait(b, "m", std::chrono::seconds(5), log, "gone");
  REQUIRE(gone.verdict == Verdict::waiting);
  CHECK(wait(b, "m", std::chrono::seconds(5), log, "c").verdict == Verdict::line_full);
  b.service.abandon(gone.ticket);
  CHECK(b.service.waiting() == 1);
  b.advance(std::chrono::seconds(6));
  CHECK(log == std::vector<std::string>{"a timed out"});
  CHECK(b.service.waiting() == 0);
  CHECK_FALSE(b.service.next_event());
  CHECK(a.verdict == Verdict::waiting);
}

TEST_CASE(
    "the line, too, keeps to the most open admissions, and a settlement elsewhere lets the next one in") {
  Bench b({.projects = {project("default", {limit({"m"}, Metric::requests, "60s", 2)})},
           .pools = {},
           .consumers = {},
           .max_open = 3});
  std::vector<std::string> log;
  for (int i = 0; i < 2; ++i) {
    REQUIRE(b.admit("m") == Verdict::admitted);
    b.service.settle(b.last, used(1, 1), b.now);
  }
  wait(b, "m", std::chrono::seconds(90), log, "a");
  wait(b, "m", std::chrono::seconds(90), log, "b");
  REQUIRE(b.admit("n") == Verdict::admitted);
  REQUIRE(b.admit("n") == Verdict::admitted);
  const ledger::CallId elsewhere = b.last;
  b.advance(std::chrono::seconds(61));
  CHECK(log == std::vector<std::string>{"a admitted"});
  CHECK(b.service.open_calls() == 3);
  REQUIRE(b.service.next_event());
  CHECK(*b.service.next_event() > b.now.steady);
  b.service.settle(elsewhere, used(1, 1), b.now);
  CHECK(log == std::vector<std::string>{"a admitted", "b admitted"});
  CHECK(b.service.open_calls() == 3);
}

TEST_CASE("whose patience ends while too many are open is told so") {
  Bench b({.projects = {project("default", {limit({"m"}, Metric::requests, "60s", 1)})},
           .pools = {},
           .consumers = {},
           .max_open = 1});
  std::vector<std::string> log;
  REQUIRE(b.admit("m") == Verdict::admitted);
  b.service.settle(b.last, used(1, 1), b.now);
  wait(b, "m", std::chrono::seconds(62), log, "a");
  REQUIRE(b.admit("n") == Verdict::admitted);
  b.advance(std::chrono::seconds(61));
  CHECK(log.empty());
  b.advance(std::chrono::seconds(1));
  CHECK(log == std::vector<std::string>{"a met too many open"});
}

TEST_CASE("stopping ends all waiting") {
  Bench b(one_in_flight());
  std::vector<std::string> log;
  REQUIRE(b.admit("m") == Verdict::admitted);
  wait(b, "m", std::chrono::seconds(30), log, "a");
  wait(b, "m", std::chrono::seconds(30), log, "b");
  b.service.dismiss_waiting(b.now);
  CHECK(log == std::vector<std::string>{"a timed out", "b timed out"});
}

}  // namespace weir::admission
