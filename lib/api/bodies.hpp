// Request bodies, read and checked: every wrong field is told with its JSON pointer, unknown ones with a
// suggestion. Pure functions; views point into the parsed document.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include <simdjson.h>

#include "admission/estimates.hpp"
#include "admission/settlement.hpp"
#include "admission/setup.hpp"
#include "http/problem.hpp"

namespace weir::api {

using Errors = std::vector<http::FieldError>;

struct AdmissionBody {
  std::string_view project = "default";
  std::string_view model;
  std::string_view consumer;  // empty: not named
  Amounts want;               // as stated; cost left at 0
  admission::Guess guess;     // read off the upstream request's body
  std::optional<admission::Priority> priority;
  Micros wait{0};
  Micros lease{120'000'000};
};

struct CallBody {
  std::string_view project = "default";
  std::string_view model;
  std::string_view consumer;  // empty: not named
  std::optional<WallTime> at;
  admission::Settlement settlement;
};

// Each returns what it read and appends what is wrong to `errors`; use the result only if that stayed empty.
AdmissionBody read_admission(simdjson::dom::element body, Micros max_wait, Errors& errors);
admission::Settlement read_settlement(simdjson::dom::element body, Errors& errors);
CallBody read_call(simdjson::dom::element body, Errors& errors);

}  // namespace weir::api
