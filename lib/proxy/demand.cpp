#include "proxy/demand.hpp"

#include <algorithm>

#include "provider/request_estimate.hpp"

namespace weir::proxy {
namespace {

constexpr std::int64_t kBytesPerToken = 4;              // of text, where the body cannot be read
constexpr std::size_t kSharedParserBytes = 256 * 1024;  // a parser keeps room for its largest document

// Readers differ in which of two they take, so that no quota would be sure.
bool names_two_models(simdjson::dom::element document) {
  simdjson::dom::object fields;
  if (document.get(fields) != simdjson::SUCCESS) return false;
  int models = 0;
  for (const auto field : fields) models += field.key == "model" ? 1 : 0;
  return models > 1;
}

}  // namespace

Demand demand_of(const Operation& operation, std::string& body, std::string_view encoding,
                 simdjson::dom::parser& shared) {
  Demand demand;
  demand.model = operation.model;
  demand.guess = guess_by_size(body.size());
  simdjson::dom::parser own;
  simdjson::dom::parser& parser = body.size() <= kSharedParserBytes ? shared : own;
  body.reserve(body.size() + simdjson::SIMDJSON_PADDING);
  simdjson::dom::element document;
  const bool plain = encoding.empty() || encoding == "identity";
  if (!plain || parser.parse(body.data(), body.size(), false).get(document) != simdjson::SUCCESS) {
    if (!operation.model_in_path) {
      demand.problem =
          plain ? "the body is not valid JSON, so there is no telling which model it is for"
                : "the body is encoded, so there is no telling which model it is for: send it plain";
    }
    return demand;
  }
  const provider::RequestEstimate estimate = provider::estimate_request(document, operation.model);
  if (!operation.model_in_path) {
    std::string_view named = estimate.model;
    if (named.empty() && document["agent"].get(named) != simdjson::SUCCESS) named = {};  // Interactions
    if (named.starts_with("models/")) named.remove_prefix(7);
    demand.model = named;
    if (names_two_models(document))
      demand.problem = "the body has \"model\" twice: upstream may read the other one";
  }
  demand.want.requests = estimate.requests;
  demand.want.images = estimate.images;
  demand.guess.input = std::max<std::int64_t>(estimate.input_tokens, 1);
  demand.guess.output = estimate.output_cap;
  demand.guess.uncertain = estimate.uncertain;
  return demand;
}

admission::Guess guess_by_size(std::uint64_t bytes) {
  admission::Guess guess;
  guess.input = std::max<std::int64_t>(static_cast<std::int64_t>(bytes) / kBytesPerToken, 1);
  guess.uncertain = true;
  return guess;
}

}  // namespace weir::proxy
