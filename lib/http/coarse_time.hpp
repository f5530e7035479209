// A clock for timeouts that need no better: 5 ns a reading, steps of 4 ms.
#pragma once

#include <chrono>
#include <ctime>

namespace weir::http {

using CoarseTime = std::chrono::nanoseconds;
inline CoarseTime coarse_now() {
  timespec at{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &at);
  return std::chrono::seconds(at.tv_sec) + CoarseTime(at.tv_nsec);
}

}  // namespace weir::http
