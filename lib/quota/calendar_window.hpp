// How much of a calendar limit is in use: per local day, week or month.
//
// A charge counts in every window that [from, to] touches, since nobody knows on which side of midnight
// upstream's clock put it. Remembers the current window and its neighbours, so that a charge near midnight
// lands in both, and a wall clock that steps over midnight and back finds what it had counted.
#pragma once

#include <array>
#include <cstdint>

#include "time/zone.hpp"

namespace weir::quota {

class CalendarWindow {
 public:
  CalendarWindow(Zone zone, CalendarUnit unit) : zone_(zone), unit_(unit) {}

  // Makes the window that holds `now` the current one.
  void advance(WallTime now);
  // Adds `amount` (may be negative) to every remembered window that [from, to] touches. Call advance() first.
  void add(WallTime from, WallTime to, std::int64_t amount);
  // Adds (sign 1) or takes back (-1) what `other`, of the same zone and unit, remembers.
  void add(const CalendarWindow& other, int sign);

  [[nodiscard]] const WallInterval& current() const { return windows_[current_].interval; }
  // Of the current window.
  [[nodiscard]] std::int64_t used() const { return windows_[current_].used; }
  // The most that is used in any window that [from, to] touches.
  [[nodiscard]] std::int64_t used(WallTime from, WallTime to);
  [[nodiscard]] const Zone& zone() const { return zone_; }
  [[nodiscard]] CalendarUnit unit() const { return unit_; }

 private:
  struct Counted {
    WallInterval interval{};
    std::int64_t used = 0;
  };
  std::size_t find_or_open(WallTime at);

  Zone zone_;
  CalendarUnit unit_;
  // More than yesterday, today and tomorrow: a clock that steps far away and back still finds today.
  std::array<Counted, 6> windows_{};
  std::size_t current_ = 0;
};

}  // namespace weir::quota
