// Arrivals of calls, read from NDJSON: one object a line, in time order, blank lines skipped.
//
//   {"at":12.5,"model":"gemini-2.5-flash","input_tokens":1200,"latency_s":1.8,"wait_s":30,"id":"a"}
//
// Streamed: memory is that of the longest line (at most kMaxLine), however long the trace is. A line that is
// wrong ends the reading, with words for the one who wrote it: numbers after it would be of another world.
#pragma once

#include <cstdint>
#include <istream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

#include "admission/setup.hpp"
#include "time/instant.hpp"

namespace weir::simulation {

// A call that somebody wants to make. Views are valid until the reader goes on.
struct Arrival {
  Micros at{0};  // since the simulation's start
  std::string_view id;
  std::string_view project = "default";
  std::string_view model;
  std::string_view consumer = "default";
  std::optional<admission::Priority> priority;  // default: the consumer's
  std::int64_t input_tokens = 0;                // estimated and used
  std::int64_t output_tokens = 0;
  Micros latency{0};  // from its admission to its answer
  Micros wait{0};     // its patience
};

class TraceReader {
 public:
  static constexpr std::size_t kMaxLine = 1 << 20;
  static constexpr double kMaxAt = 1e9;  // seconds: some 31 years

  enum class Got : std::uint8_t { arrival, end, fault };

  // `max_wait`: the most that wait_s may be, as the daemon has it. `in` outlives the reader.
  TraceReader(std::istream& in, Micros max_wait) : in_(in), max_wait_(max_wait) {}

  // Fills `arrival`; a missing id becomes the line's number. After Got::fault there is no more to read.
  Got next(Arrival& arrival);
  // Of what next() read last; from 1.
  [[nodiscard]] std::size_t line() const { return line_; }
  // What is wrong with that line.
  [[nodiscard]] const std::string& fault() const { return fault_; }

 private:
  bool next_line(std::string_view& line);
  bool fill();
  void read(simdjson::dom::element value, Arrival& arrival);
  void read_field(std::string_view key, simdjson::dom::element value, Arrival& arrival);

  std::istream& in_;
  Micros max_wait_;
  simdjson::dom::parser parser_;
  std::vector<char> buffer_;  // what is read and not yet given lies in [begin_, end_); padded for simdjson
  std::size_t begin_ = 0, end_ = 0;
  bool ended_ = false;
  std::size_t line_ = 0;
  Micros last_at_{0};
  std::string line_as_id_;
  std::string fault_;
};

}  // namespace weir::simulation
