// What past days used of a limit in each hour of the local day.
//
// Hours in which a day, week or month was used up already tell nothing, since callers were refused: they
// count like the last hour before. Otherwise a limit that is used up every afternoon would seem to last just
// until then.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "quota/limit.hpp"
#include "time/zone.hpp"

namespace weir::quota {

// The average of each hour.
class Habit {
 public:
  void add(int local_hour, std::int64_t used);
  // nullopt if no day had that hour.
  [[nodiscard]] std::optional<double> at(int local_hour) const;

 private:
  std::array<double, 24> used_{};
  std::array<std::uint16_t, 24> days_{};
};

// Makes a habit of past hours.
class PastHours {
 public:
  // `zone`: of the habit's local day. `window_zone`: of a calendar window.
  PastHours(const Window& window, std::int64_t amount, const Zone& zone, const Zone& window_zone)
      : unit_(calendar_unit(window.kind)), amount_(amount), zone_(zone), window_zone_(window_zone) {}

  // The whole hour that begins at `hour`, even if nothing was used in it. Ascending.
  void add(WallTime hour, std::int64_t used);
  [[nodiscard]] const Habit& habit() const { return habit_; }

 private:
  std::optional<CalendarUnit> unit_;
  std::int64_t amount_;
  Zone zone_, window_zone_;
  WallTime window_end_{};
  std::int64_t in_window_ = 0;
  std::int64_t usual_ = 0;  // of the last hour that was not cut short
  Habit habit_;
};

}  // namespace weir::quota
