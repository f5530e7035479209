// `weir status`: the answer of GET /v1/quota as a table.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "daemon/text/table.hpp"
#include "time/instant.hpp"

namespace weir::daemon {

struct StatusView {
  bool all = false;  // also limits with nothing used; else one line counts them
};

// Limits, the nearest to its end first. `now` is what resets and forecasts are told from. Pure.
std::string render_status(const nlohmann::json& quota, WallTime now, const StatusView& view,
                          const Look& look);

}  // namespace weir::daemon
