// Instants. Two clocks, two types: a quota's minutes are measured on one that nobody can set, its days on the
// one that everybody reads. Nothing in lib/ below the daemon reads a clock: `Now` is always an argument.
#pragma once

#include <chrono>
#include <cstdint>

namespace weir {

using Micros = std::chrono::microseconds;

// The axis of SteadyTime: runs through suspend, never steps, and goes on across restarts (the daemon derives
// it from CLOCK_BOOTTIME plus an anchor kept in the ledger). Close to the wall clock unless that was stepped.
struct SteadyAxis {
  using duration = Micros;
  using rep = Micros::rep;
  using period = Micros::period;
  using time_point = std::chrono::time_point<SteadyAxis, Micros>;
  static constexpr bool is_steady = true;
};

using SteadyTime = SteadyAxis::time_point;
using WallTime = std::chrono::sys_time<Micros>;  // UTC, may step

// One decision, one Now.
struct Now {
  SteadyTime steady;
  WallTime wall;

  // What the wall clock showed, or will show, at `at`, as seen from now.
  [[nodiscard]] WallTime wall_at(SteadyTime at) const { return wall + (at - steady); }
  [[nodiscard]] SteadyTime steady_at(WallTime at) const { return steady + (at - wall); }
};

constexpr double seconds(Micros d) {
  return static_cast<double>(d.count()) / 1e6;
}

}  // namespace weir
