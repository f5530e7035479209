#include "simulation/trace.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

#include "text/name.hpp"
#include "text/suggest.hpp"

namespace weir::simulation {
namespace {

using simdjson::dom::element;

constexpr std::size_t kPiece = 256 * 1024;
constexpr std::int64_t kMostTokens = 1'000'000'000'000;
constexpr double kMaxLatency = 1e6;

const std::vector<std::string_view>& known_fields() {
  static const std::vector<std::string_view> kKnown = {
      "at",       "id",           "project",       "model",     "consumer",
      "priority", "input_tokens", "output_tokens", "latency_s", "wait_s"};
  return kKnown;
}

// Each reads `value` into `out`, or says what is wrong with it; "" if nothing is.
std::string read_name(element value, std::string_view& out) {
  if (value.get_string().get(out) != simdjson::SUCCESS) return "must be a string";
  return name_fault(out).value_or("");
}

std::string read_tokens(element value, std::int64_t& out) {
  if (value.get_int64().get(out) != simdjson::SUCCESS) return "must be a whole number";
  if (out < 0 || out > kMostTokens) return fmt::format("must be 0 to {}", kMostTokens);
  return {};
}

std::string read_seconds(element value, double most, std::string_view hint, Micros& out) {
  double number = 0;
  if (value.get_double().get(number) != simdjson::SUCCESS) return "must be a number of seconds";
  if (!(number >= 0 && number <= most)) return fmt::format("must be 0 to {} seconds{}", most, hint);
  out = Micros(std::llround(number * 1e6));
  return {};
}

std::string read_priority(element value, std::optional<admission::Priority>& out) {
  std::string_view word;
  if (value.get_string().get(word) != simdjson::SUCCESS) return "must be a string";
  out = admission::parse_priority(word);
  if (!out) {
    return "must be \"high\", \"normal\" or \"low\"" + did_you_mean(word, {"high", "normal", "low"});
  }
  return {};
}

bool blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

}  // namespace

TraceReader::Got TraceReader::next(Arrival& arrival) {
  if (!fault_.empty()) return Got::fault;
  std::string_view line;
  do {
    if (!next_line(line)) return fault_.empty() ? Got::end : Got::fault;
    ++line_;
  } while (blank(line));

  // The buffer is padded, so the bytes behind the line may be read; nothing is copied.
  element value;
  if (const auto error = parser_.parse(line.data(), line.size(), false).get(value);
      error != simdjson::SUCCESS) {
    fault_ = fmt::format("is not JSON: {}", simdjson::error_message(error));
    return Got::fault;
  }
  arrival = Arrival{};
  read(value, arrival);
  return fault_.empty() ? Got::arrival : Got::fault;
}

bool TraceReader::next_line(std::string_view& line) {
  std::size_t searched = begin_;
  while (true) {
    const char* from = buffer_.data() + searched;
    const auto* newline =
        static_cast<const char*>(searched < end_ ? std::memchr(from, '\n', end_ - searched) : nullptr);
    const std::size_t stop = newline != nullptr ? static_cast<std::size_t>(newline - buffer_.data()) : end_;
    if (stop - begin_ > kMaxLine) {
      ++line_;
      fault_ = fmt::format("is longer than {} bytes", kMaxLine);
      return false;
    }
    if (newline != nullptr || ended_) {
      if (newline == nullptr && begin_ == end_) return false;
      line = {buffer_.data() + begin_, stop - begin_};
      begin_ = newline != nullptr ? stop + 1 : end_;
      return true;
    }
    const std::size_t kept = end_ - begin_;
    if (!fill()) return false;
    searched = begin_ + kept;
  }
}

// Reads more behind what is left, which moves to the front.
bool TraceReader::fill() {
  std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
            buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
  end_ -= begin_;
  begin_ = 0;
  buffer_.resize(std::max(buffer_.size(), end_ + kPiece + simdjson::SIMDJSON_PADDING));
  in_.read(buffer_.data() + end_, static_cast<std::streamsize>(kPiece));
  end_ += static_cast<std::size_t>(in_.gcount());
  if (in_.bad()) {
    ++line_;
    fault_ = "cannot be read";
    return false;
  }
  ended_ = in_.eof();
  return true;
}

void TraceReader::read(element value, Arrival& arrival) {
  simdjson::dom::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) {
    fault_ = "must be an object: {\"at\":0,\"model\":\"…\"}";
    return;
  }
  arrival.at = Micros(-1);
  for (const auto [key, field] : object) {
    if (field.is_null()) continue;  // as if it were not there
    read_field(key, field, arrival);
    if (!fault_.empty()) return;
  }
  if (arrival.at < Micros(0)) {
    fault_ = "at is required: seconds since the simulation's start";
  } else if (arrival.model.empty()) {
    fault_ = "model is required";
  } else if (arrival.at < last_at_) {
    fault_ = fmt::format("at is {}, but the line before has {}: a trace is in time order",
                         seconds(arrival.at), seconds(last_at_));
  }
  last_at_ = arrival.at;
  if (arrival.id.empty()) arrival.id = line_as_id_ = std::to_string(line_);
}

void TraceReader::read_field(std::string_view key, element value, Arrival& arrival) {
  std::string wrong;
  if (key == "at") {
    wrong = read_seconds(value, kMaxAt, "", arrival.at);
  } else if (key == "id") {
    wrong = read_name(value, arrival.id);
  } else if (key == "project") {
    wrong = read_name(value, arrival.project);
  } else if (key == "model") {
    wrong = read_name(value, arrival.model);
  } else if (key == "consumer") {
    wrong = read_name(value, arrival.consumer);
  } else if (key == "priority") {
    wrong = read_priority(value, arrival.priority);
  } else if (key == "input_tokens") {
    wrong = read_tokens(value, arrival.input_tokens);
  } else if (key == "output_tokens") {
    wrong = read_tokens(value, arrival.output_tokens);
  } else if (key == "latency_s") {
    wrong = read_seconds(value, kMaxLatency, "", arrival.latency);
  } else if (key == "wait_s") {
    wrong = read_seconds(value, seconds(max_wait_), " (the most is the configuration's queue.max_wait_s)",
                         arrival.wait);
  } else {
    fault_ = fmt::format("unknown field \"{}\"{}", key, did_you_mean(key, known_fields()));
    return;
  }
  if (!wrong.empty()) fault_ = fmt::format("{} {}", key, wrong);
}

}  // namespace weir::simulation
