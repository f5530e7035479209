// `weir usage`: the answer of GET /v1/usage as a table.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "daemon/text/table.hpp"

namespace weir::daemon {

// Rows as they come, and their sum. Columns in which every row has nothing are left out. Pure.
std::string render_usage(const nlohmann::json& usage, const Look& look);

}  // namespace weir::daemon
