// `weir statusline`: the nearest limits in one line, for shells and status bars. Pure.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "daemon/text/table.hpp"
#include "time/instant.hpp"

namespace weir::daemon {

// "gemini-2.5-flash 16/20 today, 2/5 a minute, resets 20h 07m; gemini-2.5-pro 48/50 today": the limits of the
// model that is nearest to one, then one each of other models that are near theirs. Not wider than look.width
// (0: any): what matters least goes first. No line end.
std::string render_statusline(const nlohmann::json& quota, WallTime now, const Look& look);

}  // namespace weir::daemon
