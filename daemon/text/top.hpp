// The frames of `weir top`. Pure.
#pragma once

#include <string>

#include "daemon/text/frame.hpp"
#include "daemon/text/table.hpp"

namespace weir::daemon {

// Every limit, the nearest to its end first; as many as fit below two lines about the whole, above one about
// the keys. `daemon`: its address. `look.width` is the frame's.
Drawn render_top(const Frame& frame, const std::string& daemon, const Look& look);
// All of it at once, without keys: `--once`, and where there is no terminal.
std::string render_top_once(const Frame& frame, const std::string& daemon, const Look& look);

}  // namespace weir::daemon
