#include "quota/amounts.hpp"

#include <array>

#include <doctest/doctest.h>

namespace weir {
namespace {

TEST_CASE("every metric reads back from its name") {
  constexpr std::array kAll = {Metric::requests,     Metric::input_tokens, Metric::output_tokens,
                               Metric::total_tokens, Metric::images,       Metric::cost_usd,
                               Metric::in_flight};
  for (const Metric metric : kAll) {
    CHECK(parse_metric(to_string(metric)) == metric);
  }
  CHECK(to_string(Metric::requests) == "requests");
  CHECK(to_string(Metric::input_tokens) == "input_tokens");
  CHECK(to_string(Metric::in_flight) == "in_flight");
}

TEST_CASE("a text that is no metric is refused") {
  for (const char* text : {"", "request", "Requests", "tokens", "requests ", "cost"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_metric(text));
  }
}

TEST_CASE("each metric takes its own part of a call") {
  const Amounts call{.requests = 3, .input_tokens = 100, .output_tokens = 20, .images = 4, .cost = 75'000};
  CHECK(call.of(Metric::requests) == 3);
  CHECK(call.of(Metric::input_tokens) == 100);
  CHECK(call.of(Metric::output_tokens) == 20);
  CHECK(call.of(Metric::total_tokens) == 120);
  CHECK(call.of(Metric::images) == 4);
  CHECK(call.of(Metric::cost_usd) == 75'000);
  CHECK(call.of(Metric::in_flight) == 1);
}

TEST_CASE("a call that says nothing is one request") {
  CHECK(Amounts{}.of(Metric::requests) == 1);
  CHECK(Amounts{}.of(Metric::total_tokens) == 0);
}

TEST_CASE("amounts add and subtract field by field") {
  const Amounts a{.requests = 3, .input_tokens = 100, .output_tokens = 20, .images = 4, .cost = 75};
  const Amounts b{.requests = 1, .input_tokens = 30, .output_tokens = 25, .images = 1, .cost = 70};
  CHECK(a - b == Amounts{.requests = 2, .input_tokens = 70, .output_tokens = -5, .images = 3, .cost = 5});
  Amounts sum = a - b;
  sum += b;
  CHECK(sum == a);
}

TEST_CASE("a usage's total counts tool use and thoughts, and cached input once") {
  const Usage usage{.input_tokens = 123,
                    .cached_input_tokens = 100,
                    .output_tokens = 456,
                    .thoughts_tokens = 78,
                    .tool_use_tokens = 9};
  CHECK(usage.total_tokens() == 666);
}

}  // namespace
}  // namespace weir
