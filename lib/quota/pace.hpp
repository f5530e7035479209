// How fast a limit is used now: units per hour, smoothed, the latest counting most.
//
// An average over time in which a moment of age a weighs exp(-a / memory). Example, memory 30 min: ten calls
// in one minute after half an idle hour are a pace of 31 per hour, and of 8 half an hour later.
//
// Rejected: the calls of the last hour (jumps when a burst leaves it), and the window's own use divided by
// its age (says nothing just after midnight, and forgets a pause only the next day).
#pragma once

#include <cstdint>
#include <optional>

#include "quota/limit.hpp"
#include "time/instant.hpp"

namespace weir::quota {

// A sliding window's own length, but at least 5 min and at most 30 min, which also holds for days and longer.
Micros pace_memory(const Window& window);

class Pace {
 public:
  // Before `since` nothing is known; `taken` was taken until then.
  Pace(Micros memory, SteadyTime since, std::int64_t taken) : memory_(memory), last_(since), taken_(taken) {}

  // `taken`: all that was ever taken of the limit, as Book::taken() counts it. What came since the last
  // sample is spread evenly over the time between; once a minute is enough.
  void sample(SteadyTime now, std::int64_t taken);
  // nullopt as long as less than a third of the memory has been watched. Never negative.
  [[nodiscard]] std::optional<double> per_hour(SteadyTime now, std::int64_t taken) const;

 private:
  Micros memory_;
  SteadyTime last_;
  std::int64_t taken_;
  double use_ = 0;     // weighted, in units
  double time_s_ = 0;  // weighted
};

}  // namespace weir::quota
