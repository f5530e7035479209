// The daemon itself.
#pragma once

#include "daemon/config.hpp"

namespace weir::daemon {

// Runs until SIGTERM or SIGINT, then drains. SIGHUP reloads config.file. Answers the process's exit code: 0
// stopped as asked, 1 failed (why is on stderr).
int serve(const Config& config);

}  // namespace weir::daemon
