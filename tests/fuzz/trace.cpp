// A trace of arrivals: read to its end, or to a line that is told to be wrong.
#include "simulation/trace.hpp"

#include <sstream>

#include "fuzz.hpp"

namespace weir::fuzz {

void run(std::string_view input) {
  std::istringstream in{std::string(input)};
  simulation::TraceReader reader(in, std::chrono::seconds(60));
  simulation::Arrival arrival;
  Micros last{0};
  while (true) {
    const auto got = reader.next(arrival);
    if (got == simulation::TraceReader::Got::end) break;
    if (got == simulation::TraceReader::Got::fault) {
      expect(!reader.fault().empty() && reader.line() > 0, "a fault has a line and words");
      break;
    }
    expect(arrival.at >= last, "arrivals are in order");
    expect(arrival.input_tokens >= 0 && arrival.output_tokens >= 0, "no token count is negative");
    expect(arrival.latency.count() >= 0 && arrival.wait.count() >= 0, "no time is negative");
    expect(!arrival.model.empty() && !arrival.id.empty(), "an arrival has a model and an id");
    last = arrival.at;
  }
}

}  // namespace weir::fuzz
