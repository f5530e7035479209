// Bodies of the API. The first byte: 0 admission, 1 settlement, 2 recorded call (modulo 3).
#include <simdjson.h>

#include "api/bodies.hpp"

#include "fuzz.hpp"

namespace weir::fuzz {
namespace {

void check(const Amounts& amounts) {
  expect(
      amounts.requests >= 0 && amounts.input_tokens >= 0 && amounts.output_tokens >= 0 && amounts.images >= 0,
      "no amount is negative");
}

void check(const admission::Settlement& settlement) {
  if (!settlement.usage) return;
  const Usage& usage = *settlement.usage;
  expect(usage.input_tokens >= 0 && usage.cached_input_tokens >= 0 && usage.output_tokens >= 0 &&
             usage.thoughts_tokens >= 0 && usage.tool_use_tokens >= 0 && usage.images >= 0,
         "no token count is negative");
  expect(usage.cached_input_tokens <= usage.input_tokens, "cached input is a part of the input");
  expect(usage.total_tokens() >= 0, "a total does not overflow");
}

}  // namespace

void run(std::string_view input) {
  const unsigned kind = take_byte(input) % 3;
  simdjson::dom::parser parser;
  simdjson::dom::element body;
  const simdjson::padded_string padded(input);
  if (parser.parse(padded).get(body) != simdjson::SUCCESS) return;
  api::Errors errors;
  if (kind == 0) {
    const api::AdmissionBody read = api::read_admission(body, std::chrono::seconds(60), errors);
    if (errors.empty()) {
      check(read.want);
      expect(!read.model.empty(), "an admission names its model");
      expect(read.wait.count() >= 0 && read.lease.count() > 0, "no time is negative");
    }
  } else if (kind == 1) {
    const admission::Settlement read = api::read_settlement(body, errors);
    if (errors.empty()) check(read);
  } else {
    const api::CallBody read = api::read_call(body, errors);
    if (errors.empty()) check(read.settlement);
  }
  for (const http::FieldError& error : errors) expect(!error.detail.empty(), "an error says what is wrong");
}

}  // namespace weir::fuzz
