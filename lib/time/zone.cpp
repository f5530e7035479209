#include "time/zone.hpp"

#include <stdexcept>

#include <date/tz.h>

namespace weir {
namespace {

const date::time_zone& tz(const void* zone) {
  return *static_cast<const date::time_zone*>(zone);
}

WallTime first_instant(const void* zone, date::local_days day) {
  // Plain conversion throws on midnights that clocks jump over or pass twice.
  return std::chrono::time_point_cast<Micros>(tz(zone).to_sys(day, date::choose::earliest));
}

// Dates never go back: once a local midnight has passed, its date holds even if the clocks are set back over
// it (as they were in St. John's until 2011, at 00:01).
date::local_days local_date(const void* zone, WallTime at) {
  const date::local_days shown = date::floor<date::days>(tz(zone).to_local(at));
  const date::local_days next = shown + date::days(1);
  return first_instant(zone, next) <= at ? next : shown;
}

}  // namespace

std::optional<Zone> Zone::find(std::string_view iana_name) {
  try {
    return Zone(date::locate_zone(std::string(iana_name)));
  } catch (const std::runtime_error&) {
    return std::nullopt;
  }
}

Zone Zone::utc() {
  if (auto zone = find("UTC")) return *zone;
  throw std::runtime_error("no time zone database: install the package tzdata");
}

std::string_view Zone::name() const {
  return tz(zone_).name();
}

WallInterval Zone::interval(CalendarUnit unit, WallTime at) const {
  date::local_days today = local_date(zone_, at);
  date::local_days begin = today;
  date::local_days end = today + date::days(1);
  if (unit == CalendarUnit::week) {
    begin = today - (date::weekday(today) - date::Monday);
    end = begin + date::days(7);
  } else if (unit == CalendarUnit::month) {
    const date::year_month_day ymd(today);
    begin = date::local_days(ymd.year() / ymd.month() / 1);
    end = date::local_days((ymd.year() / ymd.month() + date::months(1)) / 1);
  }
  return {first_instant(zone_, begin), first_instant(zone_, end)};
}

std::int32_t Zone::local_day(WallTime at) const {
  return static_cast<std::int32_t>(local_date(zone_, at).time_since_epoch().count());
}

int Zone::local_hour(WallTime at) const {
  const auto shown = tz(zone_).to_local(at);
  return static_cast<int>((date::floor<std::chrono::hours>(shown) - date::floor<date::days>(shown)).count());
}

WallTime Zone::day_begin(std::int32_t local_day) const {
  return first_instant(zone_, date::local_days(date::days(local_day)));
}

}  // namespace weir
