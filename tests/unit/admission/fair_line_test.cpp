// The order in which waiting calls get room, and what they are told beforehand.
#include <map>

#include <doctest/doctest.h>

#include "tests/unit/admission/fixture.hpp"

namespace weir::admission {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// One call at a time: every settlement lets exactly one in.
Setup one_at_a_time(std::vector<ConsumerSetup> consumers = {}) {
  return {.projects = {project("default", {limit({"*"}, Metric::in_flight, "in_flight", 1)})},
          .pools = {},
          .consumers = std::move(consumers)};
}

ConsumerSetup consumer(std::string name, Priority priority, double weight = 1) {
  return {.name = std::move(name), .priority = priority, .weight = weight, .limits = {}};
}

// A crowd that waits; what is let in is noted by consumer, and settled by the test.
struct Crowd {
  explicit Crowd(Setup setup) : b(setup) {}

  Answer wait(std::string_view consumer, std::int64_t tokens = 0, Micros patience = seconds(60),
              std::string_view model = "m") {
    Ask ask = b.ask(model, tokens, consumer);
    ask.wait = patience;
    return b.service.admit(ask, b.now, [this, consumer = std::string(consumer)](const Answer& answer) {
      if (answer.verdict == Verdict::admitted) {
        b.last = answer.call->id;
        in.push_back(consumer);
      } else {
        out.push_back(consumer);
      }
    });
  }
  // Ends the call that is in, `times` times.
  void settle(int times = 1, std::int64_t tokens = 1) {
    for (int i = 0; i < times; ++i) b.service.settle(b.last, used(tokens, 0), b.now);
  }
  std::map<std::string, int> counts() const {
    std::map<std::string, int> counts;
    for (const std::string& name : in) ++counts[name];
    return counts;
  }

  Bench b;
  std::vector<std::string> in, out;
};

}  // namespace

TEST_CASE("consumers take turns, whoever sends more") {
  Crowd c(one_at_a_time());
  REQUIRE(c.b.admit("m") == Verdict::admitted);
  for (int i = 0; i < 20; ++i) c.wait("batch");
  for (int i = 0; i < 5; ++i) c.wait("chat");
  c.settle(10);
  CHECK(c.counts() == std::map<std::string, int>{{"batch", 5}, {"chat", 5}});
}

TEST_CASE("a consumer of weight 3 gets three times as much") {
  Crowd c(one_at_a_time({consumer("big", Priority::normal, 3)}));
  REQUIRE(c.b.admit("m") == Verdict::admitted);
  for (int i = 0; i < 50; ++i) {
    c.wait("big");
    c.wait("small");
  }
  c.settle(40);
  CHECK(c.counts() == std::map<std::string, int>{{"big", 30}, {"small", 10}});
}

TEST_CASE("shares are counted in what is contended: tokens here, not calls") {
  Crowd c({.projects = {project("default", {limit({"m"}, Metric::input_tokens, "60s", 1000)})},
           .pools = {},
           .consumers = {}});
  REQUIRE(c.b.admit("m", 1000) == Verdict::admitted);
  c.settle(1, 1000);
  for (int i = 0; i < 8; ++i) c.wait("large", 200, seconds(200));
  for (int i = 0; i < 30; ++i) c.wait("small", 50, seconds(200));
  c.b.advance(milliseconds(60'600));
  const auto counts = c.counts();
  CHECK(counts.at("large") >= 2);
  CHECK(counts.at("large") <= 3);
  CHECK(counts.at("small") >= 8);
  CHECK(counts.at("large") * 200 + counts.at("small") * 50 == 1000);
}

TEST_CASE("a settlement corrects what was charged for a share") {
  Crowd c({.projects = {project("default", {limit({"m"}, Metric::in_flight, "in_flight", 1),
                                            limit({"m"}, Metric::input_tokens, "60s", 1'000'000)})},
           .pools = {},
           .consumers = {}});
  REQUIRE(c.b.admit("m") == Verdict::admitted);
  c.wait("a");
  c.wait("b");
  c.settle(2);
  CHECK(c.in == std::vector<std::string>{"a", "b"});
}

TEST_CASE("idleness earns nothing: who returns starts level") {
  Crowd c(one_at_a_time());
  REQUIRE(c.b.admit("m") == Verdict::admitted);
  for (int i = 0; i < 40; ++i) c.wait("steady");
  c.wait("other");
  c.settle(20);  // `other` had its one call; `steady` goes on
  for (int i = 0; i < 10; ++i) c.wait("other");
  c.in.clear();
  c.settle(10);
  const auto counts = c.counts();
  CHECK(counts.at("steady") >= 4);
  CHECK(counts.at("other") >= 4);
}

TEST_CASE("priority goes first, and low has one turn in nine") {
  Crowd c(one_at_a_time({consumer("chat", Priority::high), consumer("batch", Priority::low)}));
  REQUIRE(c.b.admit("m") == Verdict::admitted);
  for (int i = 0; i < 60; ++i) c.wait("batch");
  for (int i = 0; i < 60; ++i) c.wait("chat");
  c.settle(36);
  CHECK(c.counts() == std::map<std::string, int>{{"batch", 4}, {"chat", 32}});
  CHECK(c.in.front() == "chat");
}

TEST_CASE("a newcomer of higher priority takes the room that others wait for") {
  Crowd c(one_at_a_time({consumer("chat", Priority::high), consumer("batch", Priority::low)}));
  REQUIRE(c.b.admit("m") == Verdict::admitted);
  for (int i = 0; i < 3; ++i) c.wait("batch");
  c.wait("chat");
  c.settle();
  CHECK(c.in == std::vector<std::string>{"chat"});
}

TEST_CASE("models that share a limit share its line") {
  Crowd c(one_at_a_time());
  REQUIRE(c.b.admit("m") == Verdict::admitted);
  for (int i = 0; i < 10; ++i) c.wait("a", 0, seconds(60), "m");
  for (int i = 0; i < 10; ++i) c.wait("b", 0, seconds(60), "n");
  c.settle(10);
  CHECK(c.counts() == std::map<std::string, int>{{"a", 5}, {"b", 5}});
}

TEST_CASE("a big call is overtaken by small ones, but not for ever") {
  Crowd c({.projects = {project("default", {limit({"m"}, Metric::input_tokens, "60s", 100)})},
           .pools = {},
           .consumers = {}});
  REQUIRE(c.b.admit("m", 50) == Verdict::admitted);
  c.settle(1, 50);
  CHECK(c.wait("big", 90, seconds(3600)).verdict == Verdict::waiting);
  int small = 0;
  for (int i = 0; i < 3000 && c.in.empty(); ++i) {
    c.b.advance(milliseconds(100));
    if (!c.in.empty()) break;
    if (c.b.admit("m", 10, "small") == Verdict::admitted) {
      ++small;
      c.b.service.settle(c.b.last, used(10, 0), c.b.now);
    }
  }
  CHECK(c.in == std::vector<std::string>{"big"});
  CHECK(small == WaitingLine::kMaxOvertakes);
}

TEST_CASE("a call that has room but may not pass does not wake the line: who is before it does") {
  Crowd c({.projects = {project("default", {limit({"m"}, Metric::input_tokens, "60s", 100)})},
           .pools = {},
           .consumers = {}});
  REQUIRE(c.b.admit("m", 50) == Verdict::admitted);
  c.settle(1, 50);
  const Answer big = c.wait("big", 90, seconds(3600));
  for (int i = 0; i < WaitingLine::kMaxOvertakes; ++i) {
    REQUIRE(c.b.admit("m", 1, "small") == Verdict::admitted);
    c.settle();
  }
  REQUIRE(c.wait("small", 1, seconds(3600)).verdict == Verdict::waiting);
  c.b.advance(seconds(1));
  REQUIRE(c.in.empty());
  REQUIRE(c.b.service.next_event());
  CHECK(*c.b.service.next_event() > c.b.now.steady + seconds(30));

  c.b.service.abandon(big.ticket);
  REQUIRE(c.b.service.next_event());
  CHECK(*c.b.service.next_event() <= c.b.now.steady);
  c.b.service.tick(c.b.now);
  CHECK(c.in == std::vector<std::string>{"small"});
}

TEST_CASE("who would not get in within its patience, behind those before it, is refused at once") {
  Crowd c({.projects = {project("default", {limit({"m"}, Metric::requests, "60s", 10)})},
           .pools = {},
           .consumers = {}});
  for (int i = 0; i < 10; ++i) {
    REQUIRE(c.b.admit("m") == Verdict::admitted);
    c.settle();
  }
  int waiting = 0;
  Answer last;
  for (int i = 0; i < 30; ++i) {
    last = c.wait("a", 0, seconds(90));
    if (last.verdict == Verdict::waiting) ++waiting;
  }
  // Ten fit into the next minute; the others would wait for two.
  CHECK(waiting == 10);
  CHECK(last.verdict == Verdict::denied);
  CHECK(last.retry_at > c.b.now.steady + seconds(120));
  CHECK(last.retry_at < c.b.now.steady + seconds(122));
  c.b.advance(seconds(61));
  CHECK(c.in.size() == 10);
  CHECK(c.out.empty());
}

TEST_CASE("a short wait for an open call to end is a wait") {
  Crowd c(one_at_a_time());
  REQUIRE(c.b.admit("m") == Verdict::admitted);
  CHECK(c.wait("a", 0, milliseconds(300)).verdict == Verdict::waiting);
  c.settle();
  CHECK(c.in.size() == 1);
}

TEST_CASE("tokens that are only held may come back: the call waits, and goes when they do") {
  Crowd c({.projects = {project("default", {limit({"m"}, Metric::input_tokens, "60s", 1000)})},
           .pools = {},
           .consumers = {}});
  REQUIRE(c.b.admit("m", 1000) == Verdict::admitted);
  CHECK(c.wait("a", 500, seconds(5)).verdict == Verdict::waiting);
  c.settle(1, 300);
  CHECK(c.in.size() == 1);
}

TEST_CASE("a limit that is found exhausted ends the waiting for it at once") {
  Crowd c({.projects = {project("default", {limit({"m"}, Metric::in_flight, "in_flight", 1),
                                            limit({"m"}, Metric::requests, "day", 100)})},
           .pools = {},
           .consumers = {}});
  REQUIRE(c.b.admit("m") == Verdict::admitted);
  for (int i = 0; i < 5; ++i) c.wait("a", 0, seconds(60));
  c.b.advance(seconds(1));
  Settlement refused;
  refused.status = 429;
  refused.error = provider::error_of(
      429,
      R"({"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"quota","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaValue":"100"}]}]}})");
  c.b.service.settle(c.b.last, refused, c.b.now);
  CHECK(c.out.size() == 5);
  CHECK(c.b.service.waiting() == 0);
}

TEST_CASE("ten thousand that wait and leave leave nothing behind") {
  Setup setup = one_at_a_time();
  setup.max_waiting = 20'000;
  Crowd c(setup);
  REQUIRE(c.b.admit("m") == Verdict::admitted);
  std::vector<std::uint64_t> tickets;
  for (int i = 0; i < 10'000; ++i) {
    tickets.push_back(c.wait("c" + std::to_string(i % 50), 0, seconds(60), i % 2 == 0 ? "m" : "n").ticket);
  }
  CHECK(c.b.service.waiting() == 10'000);
  for (const std::uint64_t ticket : tickets) c.b.service.abandon(ticket);
  CHECK(c.b.service.waiting() == 0);
  CHECK_FALSE(c.b.service.next_event());
  CHECK(c.in.empty());
  CHECK(c.out.empty());
  CHECK(c.b.view("*/in_flight").held == 1);
  c.settle();
  CHECK(c.b.view("*/in_flight").held == 0);
  CHECK(c.b.admit("m") == Verdict::admitted);
}

}  // namespace weir::admission
