#include "quota/habit.hpp"

#include <algorithm>

namespace weir::quota {

void Habit::add(int local_hour, std::int64_t used) {
  const auto hour = static_cast<std::size_t>(local_hour);
  used_[hour] += static_cast<double>(used);
  ++days_[hour];
}

std::optional<double> Habit::at(int local_hour) const {
  const auto hour = static_cast<std::size_t>(local_hour);
  if (days_[hour] == 0) return std::nullopt;
  return std::max(0.0, used_[hour] / days_[hour]);
}

void PastHours::add(WallTime hour, std::int64_t used) {
  if (unit_) {
    if (hour >= window_end_) {
      window_end_ = window_zone_.interval(*unit_, hour).end;
      in_window_ = usual_ = 0;
    }
    in_window_ += used;
    usual_ = in_window_ < amount_ ? used : std::max(usual_, used);
    used = usual_;
  }
  habit_.add(zone_.local_hour(hour), used);
}

}  // namespace weir::quota
