#include "simulation/trace.hpp"

#include <sstream>

#include <doctest/doctest.h>

namespace weir::simulation {
namespace {

using Got = TraceReader::Got;

// What is wrong with a trace: "2: unknown field …"; "" if it is read to its end.
std::string fault_of(const std::string& text) {
  std::istringstream in(text);
  TraceReader reader(in, std::chrono::seconds(60));
  Arrival arrival;
  Got got = Got::arrival;
  while (got == Got::arrival) got = reader.next(arrival);
  return got == Got::end ? "" : std::to_string(reader.line()) + ": " + reader.fault();
}

}  // namespace

TEST_CASE("every field of an arrival is read") {
  std::istringstream in(
      R"({"at":1.5,"id":"x","project":"p","model":"m","consumer":"c","priority":"low","input_tokens":7,)"
      R"("output_tokens":8,"latency_s":0.25,"wait_s":60})");
  TraceReader reader(in, std::chrono::seconds(60));
  Arrival arrival;
  REQUIRE(reader.next(arrival) == Got::arrival);
  CHECK(arrival.at == Micros(1'500'000));
  CHECK(arrival.id == "x");
  CHECK(arrival.project == "p");
  CHECK(arrival.model == "m");
  CHECK(arrival.consumer == "c");
  CHECK(arrival.priority == admission::Priority::low);
  CHECK(arrival.input_tokens == 7);
  CHECK(arrival.output_tokens == 8);
  CHECK(arrival.latency == Micros(250'000));
  CHECK(arrival.wait == Micros(60'000'000));
  CHECK(reader.next(arrival) == Got::end);
}

TEST_CASE("what is left out has the daemon's default, and the line's number is the id") {
  std::istringstream in("\n{\"at\":0,\"model\":\"m\",\"id\":null}\r\n\n{\"at\":0,\"model\":\"n\"}");
  TraceReader reader(in, std::chrono::seconds(60));
  Arrival arrival;
  REQUIRE(reader.next(arrival) == Got::arrival);
  CHECK(arrival.id == "2");
  CHECK(arrival.project == "default");
  CHECK(arrival.consumer == "default");
  CHECK_FALSE(arrival.priority);
  CHECK(arrival.input_tokens == 0);
  CHECK(arrival.wait == Micros(0));
  REQUIRE(reader.next(arrival) == Got::arrival);
  CHECK(arrival.id == "4");
  CHECK(reader.next(arrival) == Got::end);
}

TEST_CASE("a wrong line is told with its number and what to do") {
  const std::string good = "{\"at\":5,\"model\":\"m\"}\n";
  CHECK(fault_of(good + good) == "");
  CHECK(fault_of("") == "");
  CHECK(fault_of(good + "{\"at\":5,\"model\":\"m\",\"latency\":1}\n" + good) ==
        "2: unknown field \"latency\" (did you mean \"latency_s\"?)");
  CHECK(fault_of(good + "{\"at\":5,\"model\":\"m\",\"tokens\":1}\n") == "2: unknown field \"tokens\"");
  CHECK(fault_of("{\"at\":4,\"model\":\"m\",\"priority\":\"hihg\"}") ==
        "1: priority must be \"high\", \"normal\" or \"low\" (did you mean \"high\"?)");
  CHECK(fault_of(good + "{\"at\":4.5,\"model\":\"m\"}") ==
        "2: at is 4.5, but the line before has 5: a trace is in time order");
  CHECK(fault_of("{\"model\":\"m\"}") == "1: at is required: seconds since the simulation's start");
  CHECK(fault_of("{\"at\":0}") == "1: model is required");
  CHECK(fault_of("{\"at\":-1,\"model\":\"m\"}").starts_with("1: at must be 0 to "));
  CHECK(fault_of("{\"at\":\"0\",\"model\":\"m\"}") == "1: at must be a number of seconds");
  CHECK(fault_of("{\"at\":0,\"model\":\"\"}") == "1: model must not be empty");
  CHECK(fault_of("{\"at\":0,\"model\":\"m\",\"input_tokens\":1.5}") ==
        "1: input_tokens must be a whole number");
  CHECK(fault_of("{\"at\":0,\"model\":\"m\",\"output_tokens\":-1}")
            .starts_with("1: output_tokens must be 0 to "));
  CHECK(fault_of("{\"at\":0,\"model\":\"m\",\"wait_s\":61}") ==
        "1: wait_s must be 0 to 60 seconds (the most is the configuration's queue.max_wait_s)");
  CHECK(fault_of("[]").starts_with("1: must be an object"));
  CHECK(fault_of("{\"at\":0,").starts_with("1: is not JSON: "));
  CHECK(fault_of(good + std::string(TraceReader::kMaxLine + 1, 'x')) == "2: is longer than 1048576 bytes");
}

TEST_CASE("lines are read whole wherever the pieces of the file end") {
  std::string text;
  for (int i = 0; i < 20'000; ++i) {
    text += "{\"at\":" + std::to_string(i) + ",\"model\":\"" +
            std::string(static_cast<std::size_t>(i % 97 + 1), 'm') + "\"}\n";
  }
  std::istringstream in(text);
  TraceReader reader(in, std::chrono::seconds(60));
  Arrival arrival;
  for (int i = 0; i < 20'000; ++i) {
    REQUIRE(reader.next(arrival) == Got::arrival);
    REQUIRE(arrival.at == std::chrono::seconds(i));
    REQUIRE(arrival.model.size() == static_cast<std::size_t>(i % 97 + 1));
  }
  CHECK(reader.next(arrival) == Got::end);
}

}  // namespace weir::simulation
