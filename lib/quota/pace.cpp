#include "quota/pace.hpp"

#include <algorithm>
#include <cmath>

namespace weir::quota {
namespace {

constexpr Micros kShortest = std::chrono::minutes(5);
constexpr Micros kLongest = std::chrono::minutes(30);
constexpr double kLeastWatched = 1.0 / 3;  // of the memory

}  // namespace

Micros pace_memory(const Window& window) {
  return window.kind == WindowKind::sliding ? std::clamp(window.length, kShortest, kLongest) : kLongest;
}

void Pace::sample(SteadyTime now, std::int64_t taken) {
  if (now <= last_) return;
  const double memory_s = seconds(memory_);
  const double passed_s = seconds(now - last_);
  const double kept = std::exp(-passed_s / memory_s);
  const double weight_s = memory_s * (1 - kept);
  use_ = use_ * kept + static_cast<double>(taken - taken_) / passed_s * weight_s;
  time_s_ = time_s_ * kept + weight_s;
  last_ = now;
  taken_ = taken;
}

std::optional<double> Pace::per_hour(SteadyTime now, std::int64_t taken) const {
  Pace at_now = *this;
  at_now.sample(now, taken);
  const double least_s = seconds(memory_) * (1 - std::exp(-kLeastWatched));
  if (at_now.time_s_ < least_s) return std::nullopt;
  return std::max(0.0, at_now.use_ / at_now.time_s_ * 3600);
}

}  // namespace weir::quota
