// Weir, and what people use in its place.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/fidelity/world.hpp"

namespace weir::bench {

struct Kind {
  std::string name;
  // Of a limiter that is told this limit.
  std::function<std::unique_ptr<Limiter>(const quota::LimitSpec&)> make;
};

// The daemon's admission service, with that guard. `second`: with a limit of a sixtieth of the amount over 1
// s beside it.
Kind weir_service(Micros guard, bool second = false);

// The others, each in its best form: a line, first come first served, from which a call goes in the very
// microsecond in which the limiter has room.
//   fixed window          counts in minutes of its own clock
//   two counters          the last minute's count, weighted by what of it still lies in the window, plus this
//                         minute's
//   token bucket          holds the amount, refilled evenly
//   list of starts        the exact times of the calls of the last 60 s, stamped when they start
// and without a line: every call goes at once; refused, it comes again after 1, 2, 4 … 64 s (as do those of
// the four above).
std::vector<Kind> others();

}  // namespace weir::bench
