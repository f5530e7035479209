#include "quota/calendar_window.hpp"

#include <algorithm>

namespace weir::quota {

void CalendarWindow::advance(WallTime now) {
  if (!current().contains(now)) current_ = find_or_open(now);
}

std::size_t CalendarWindow::find_or_open(WallTime at) {
  for (std::size_t i = 0; i < windows_.size(); ++i) {
    if (windows_[i].interval.contains(at)) return i;
  }
  // Gives up the window farthest from `at`, but never the current one.
  const auto distance = [at](const Counted& w) {
    if (w.interval.begin == w.interval.end) return Micros::max();  // never opened
    return w.interval.end <= at ? at - w.interval.end : w.interval.begin - at;
  };
  std::size_t victim = current_ == 0 ? 1 : 0;
  for (std::size_t i = 0; i < windows_.size(); ++i) {
    if (i != current_ && distance(windows_[i]) > distance(windows_[victim])) victim = i;
  }
  windows_[victim] = {zone_.interval(unit_, at), 0};
  return victim;
}

void CalendarWindow::add(WallTime from, WallTime to, std::int64_t amount) {
  // Opens what will be asked about: the window before the current one (just after midnight upstream may still
  // be in it), and whatever comes later. A very late settlement needs not be spread over all the windows
  // before.
  WallTime oldest = current().begin;
  if (from < oldest) oldest = windows_[find_or_open(oldest - Micros(1))].interval.begin;
  for (WallTime at = std::max(from, oldest); at <= to;) at = windows_[find_or_open(at)].interval.end;
  // Older ones only if remembered: a clock that stepped away may come back to them.
  for (Counted& window : windows_) {
    if (window.interval.begin <= to && from < window.interval.end) window.used += amount;
  }
}

void CalendarWindow::add(const CalendarWindow& other, int sign) {
  for (const Counted& window : other.windows_) {
    if (window.used != 0) windows_[find_or_open(window.interval.begin)].used += sign * window.used;
  }
}

std::int64_t CalendarWindow::used(WallTime from, WallTime to) {
  if (current().contains(from) && current().contains(to)) return used();  // nearly always
  std::int64_t most = 0;
  for (WallTime at = from; at <= to;) {
    const Counted& window = windows_[find_or_open(at)];
    most = std::max(most, window.used);
    at = window.interval.end;
  }
  return most;
}

}  // namespace weir::quota
