// The quotas that an error object names. Internal to this room.
#pragma once

#include <vector>

#include "provider/error.hpp"
#include "provider/error_text.hpp"
#include "provider/json.hpp"

namespace weir::provider {

// From the details of Google's error object (QuotaFailure, or ErrorInfo of 2024), completed from the text;
// from the text alone if the details name none.
//
// quotaValue is absent when the limit is 0; only the text says so then. Worked example: three violations
// without a value, and the lines "metric: requests, limit: 0", "metric: requests, limit: 0", "metric:
// input_token_count, limit: 0" -> all 0. With "limit: 20" and "limit: 0" for one metric, the violation
// without a value is the one of 0.
std::vector<QuotaViolation> violations_of(json::Element error, const ErrorText& text);

}  // namespace weir::provider
