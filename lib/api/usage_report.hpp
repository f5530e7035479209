// The text of GET /v1/usage.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ledger/reader.hpp"

namespace weir::api {

enum class UsageText : std::uint8_t { json, csv };

// {"rows":[…]}, or CSV with a title line, RFC 4180. Rows as they come. Pure.
std::string render_usage(const std::vector<ledger::UsageRow>& rows, UsageText form);

}  // namespace weir::api
