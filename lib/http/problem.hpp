// RFC 9457 problem details: the one place where errors become answers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.hpp"

namespace weir::http {

struct FieldError {
  std::string pointer;  // JSON pointer into the body: "/input_tokens"; empty for what is not in the body
  std::string detail;
};

struct Problem {
  int status = 500;
  std::string type = "about:blank";
  std::string title = {};  // default: the status's reason phrase
  std::string detail = {};
  std::vector<FieldError> errors = {};
  std::string headers = {};  // more header lines, each ended by "\r\n"
};

std::string to_json(const Problem& problem);
void reply(Exchange& exchange, const Problem& problem);

// Appends `text` as a JSON string with quotes; invalid UTF-8 becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace weir::http
