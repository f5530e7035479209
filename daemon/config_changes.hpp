// What a new configuration changes, in words for a log and an answer. Never a secret.
#pragma once

#include <string>
#include <vector>

#include "daemon/config.hpp"

namespace weir::daemon {

// "limit gemini-2.5-flash/requests/day of project default: 20 -> 30", one for each change that takes effect
// at once; empty if there is none.
std::vector<std::string> changes_between(const Config& before, const Config& after);

// What the running daemon cannot change: "[server] listen: …". Takes effect at the next start.
std::vector<std::string> changes_at_next_start(const Config& before, const Config& after);

}  // namespace weir::daemon
