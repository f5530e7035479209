#include "daemon/time_argument.hpp"

#include "time/duration.hpp"
#include "time/rfc3339.hpp"

namespace weir::daemon {

std::optional<WallTime> parse_time_argument(std::string_view text, WallTime now) {
  if (text == "now") return now;
  if (const auto ago = parse_duration(text)) return now - *ago;
  return parse_rfc3339(text);
}

}  // namespace weir::daemon
