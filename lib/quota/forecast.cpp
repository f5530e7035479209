#include "quota/forecast.hpp"

#include <algorithm>
#include <cmath>

namespace weir::quota {
namespace {

constexpr double kHalfLifeHours = 1;  // of the pace of now, where there is history

double hours(Micros duration) {
  return seconds(duration) / 3600;
}

// Per hour, in the hour around `at`.
std::optional<double> expected(std::optional<double> pace, const Habit& habit, const Zone& zone, WallTime now,
                               WallTime at) {
  const std::optional<double> usual = habit.at(zone.local_hour(at));
  if (!pace || !usual) return pace ? pace : usual;
  const double of_now = std::exp2(-hours(at - now) / kHalfLifeHours);
  return of_now * *pace + (1 - of_now) * *usual;
}

}  // namespace

std::string_view to_string(Outlook outlook) {
  switch (outlook) {
    case Outlook::none:
      return "none";
    case Outlook::unknown:
      return "unknown";
    case Outlook::lasts:
      return "lasts";
    case Outlook::runs_out:
      return "runs_out";
    case Outlook::exhausted:
      return "exhausted";
  }
  return {};
}

Forecast forecast(const LimitSpec& spec, const LimitView& view, std::optional<double> pace,
                  const Habit& habit, const Zone& zone, WallTime now) {
  if (spec.window.kind == WindowKind::in_flight)
    return {.outlook = Outlook::none, .pace_per_hour = {}, .exhausts_at = {}};
  Forecast result{.outlook = Outlook::unknown, .pace_per_hour = pace, .exhausts_at = {}};
  if (view.exhausted_until || view.remaining <= 0) {
    result.outlook = Outlook::exhausted;
    if (view.amount > 0 || view.exhausted_until) result.exhausts_at = now;
    return result;
  }
  const bool sliding = spec.window.kind == WindowKind::sliding;
  const WallTime end = sliding ? now + spec.window.length : view.resets_at.value_or(now);
  double room = static_cast<double>(view.remaining);
  const double leaving = sliding ? static_cast<double>(view.used + view.held) / hours(spec.window.length) : 0;
  for (WallTime at = now; at < end;) {
    const WallTime next =
        std::min(end, WallTime(std::chrono::floor<std::chrono::hours>(at)) + std::chrono::hours(1));
    const std::optional<double> use = expected(pace, habit, zone, now, at + (next - at) / 2);
    if (!use) return result;
    const double growth = *use - leaving;
    if (growth > 0 && growth * hours(next - at) > room) {
      result.outlook = Outlook::runs_out;
      result.exhausts_at = at + Micros(static_cast<std::int64_t>(room / growth * 3600e6));
      return result;
    }
    room -= growth * hours(next - at);
    at = next;
  }
  result.outlook = Outlook::lasts;
  return result;
}

}  // namespace weir::quota
