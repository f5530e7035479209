// Whether a limit will be used up before its reset, and when.
//
// What is in use grows by the expected use of each hour to come: at first the pace of now, then more and more
// (half after one hour, three quarters after two) what the same hours of past days used; where there is no
// history, the pace of now. A day, week or month ends at its reset. A sliding window has none: what is in it
// now is taken to leave evenly over its length, so that a steady pace uses it up only if a whole window of it
// is more than the limit, and then within one window.
//
// Example: at 12:00 16 of 20 a day are used, at a pace of 2 an hour. Without history the rest is gone at
// 14:00. If past days used nothing in the afternoon and evening, 2.8 more are expected: it lasts.
//
// Pure: no I/O, no clock.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "quota/book.hpp"
#include "quota/habit.hpp"
#include "time/zone.hpp"

namespace weir::quota {

enum class Outlook : std::uint8_t {
  none,       // limits on calls in flight: nobody knows when those end
  unknown,    // too little was seen
  lasts,      // not before its reset
  runs_out,   // at Forecast::exhausts_at
  exhausted,  // used up now
};
std::string_view to_string(Outlook outlook);

struct Forecast {
  Outlook outlook = Outlook::unknown;
  std::optional<double> pace_per_hour;  // nullopt: unknown
  std::optional<WallTime> exhausts_at;  // runs_out; and `now`, if exhausted, unless nothing is ever allowed
};

// `pace`: of now, per hour. `zone`: of the habit's local day.
Forecast forecast(const LimitSpec& spec, const LimitView& view, std::optional<double> pace,
                  const Habit& habit, const Zone& zone, WallTime now);

}  // namespace weir::quota
