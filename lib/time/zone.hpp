// Calendar arithmetic in an IANA time zone.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "time/instant.hpp"

namespace weir {

enum class CalendarUnit : std::uint8_t { day, week, month };

// Half-open: `begin` belongs to it, `end` does not.
struct WallInterval {
  WallTime begin;
  WallTime end;
  [[nodiscard]] bool contains(WallTime at) const { return begin <= at && at < end; }
};

// A zone of the system's tz database. A value, cheap to copy, immutable: any thread. Lookup costs some 100
// ns; callers that ask often keep the interval until `now` leaves it. Known limit: after 2037 Debian's date
// library no longer applies daylight saving.
class Zone {
 public:
  // nullopt if the name is not in the database ("Mars/Olympus"), or the database is missing.
  static std::optional<Zone> find(std::string_view iana_name);
  static Zone utc();

  [[nodiscard]] std::string_view name() const;

  // The local day, ISO week (from Monday) or month that holds `at`. Where a midnight does not exist (clocks
  // jump over it) the interval begins at the first instant after the gap; where it exists twice, at the
  // first. Example: 2026-11-01 in America/Los_Angeles is [2026-11-01T07:00Z, 2026-11-02T08:00Z), 25 hours.
  [[nodiscard]] WallInterval interval(CalendarUnit unit, WallTime at) const;

  // Days since 1970-01-01 of the local date at `at`: the key of a day's totals.
  [[nodiscard]] std::int32_t local_day(WallTime at) const;
  // What the local clock shows at `at`: 0 to 23.
  [[nodiscard]] int local_hour(WallTime at) const;
  // The first instant of that local date.
  [[nodiscard]] WallTime day_begin(std::int32_t local_day) const;

 private:
  explicit Zone(const void* zone) : zone_(zone) {}
  const void* zone_;  // date::time_zone, owned by the database for the process's life
};

}  // namespace weir
