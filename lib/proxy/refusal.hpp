// Answers of our own, in the form of the API that was called, so that its SDKs raise the errors that they
// would raise for the provider. Each says that it is Weir who speaks. Pure functions.
#pragma once

#include <string>
#include <string_view>

#include "admission/service.hpp"

#include "proxy/target.hpp"

namespace weir::proxy {

struct Refusal {
  int status = 500;
  std::string text;     // the sentence in it
  std::string body;     // JSON
  std::string headers;  // lines, each ended by "\r\n"
};

// Anything but a denial by quota. `detail` is a sentence without "Weir: " before it. A 503 says
// Retry-After: 1.
Refusal refusal(Form form, int status, std::string_view detail);

// denied, timed_out, line_full and never_fits as 429; too_many_open and ledger_failing as 503.
Refusal refusal(Form form, const admission::Answer& answer, const Now& now, admission::Service& service);

}  // namespace weir::proxy
