#include "api/bodies.hpp"

#include <cmath>

#include <fmt/format.h>

#include "admission/open_calls.hpp"
#include "http/text.hpp"
#include "provider/error.hpp"
#include "provider/request_estimate.hpp"
#include "provider/usage.hpp"
#include "text/name.hpp"
#include "text/suggest.hpp"
#include "time/rfc3339.hpp"

namespace weir::api {
namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

constexpr std::int64_t kMostTokens = 1'000'000'000;  // of a call, a thousand times the largest context
constexpr std::int64_t kMostRequests = 100'000;
// Of a body that is full of them, so many are told, and so many bytes of a name.
constexpr std::size_t kMostErrors = 100;
constexpr std::size_t kMostOfKey = 200;

std::string_view kind_of(element value) {
  switch (value.type()) {
    case element_type::ARRAY:
      return "an array";
    case element_type::OBJECT:
      return "an object";
    case element_type::STRING:
      return "a string";
    case element_type::BOOL:
      return "a boolean";
    case element_type::NULL_VALUE:
      return "null";
    default:
      return "a number";
  }
}

// One field under way: where it stands, and what is wrong with it.
struct Field {
  std::string_view parent;  // pointer of the object
  std::string_view key;
  element value;
  Errors& errors;

  void fault(std::string detail) const {
    if (errors.size() >= kMostErrors) return;
    std::string pointer(parent);
    pointer += '/';
    for (const char c : key.substr(0, kMostOfKey)) {
      if (c == '~') {
        pointer += "~0";
      } else if (c == '/') {
        pointer += "~1";
      } else {
        pointer += c;
      }
    }
    errors.push_back({std::move(pointer), std::move(detail)});
  }

  void read(std::string_view& out) const {
    if (value.get_string().get(out) != simdjson::SUCCESS)
      fault(fmt::format("must be a string, not {}", kind_of(value)));
  }
  void read_name(std::string_view& out) const {
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS) {
      fault(fmt::format("must be a string, not {}", kind_of(value)));
    } else if (auto wrong = name_fault(text)) {
      fault(*wrong);
    } else {
      out = text;
    }
  }
  void read(std::int64_t& out, std::int64_t least, std::int64_t most) const {
    std::int64_t number = 0;
    if (value.get_int64().get(number) != simdjson::SUCCESS) {
      fault(value.is_number() ? "must be a whole number"
                              : fmt::format("must be a number, not {}", kind_of(value)));
    } else if (number < least || number > most) {
      fault(fmt::format("must be {} to {}", least, most));
    } else {
      out = number;
    }
  }
  // Seconds, as a number.
  void read(Micros& out, double least, double most, std::string_view unit_hint = {}) const {
    double number = 0;
    if (value.get_double().get(number) != simdjson::SUCCESS) {
      fault(fmt::format("must be a number of seconds, not {}", kind_of(value)));
    } else if (!(number >= least && number <= most)) {
      fault(fmt::format("must be {} to {} seconds{}", least, most, unit_hint));
    } else {
      out = Micros(std::llround(number * 1e6));
    }
  }
  void read(std::optional<WallTime>& out) const {
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS) {
      fault(fmt::format("must be an RFC 3339 time as a string, not {}", kind_of(value)));
    } else if (!(out = parse_rfc3339(text))) {
      fault("must be an RFC 3339 time, like 2026-11-22T08:00:00Z");
    }
  }
  void unknown(const std::vector<std::string_view>& known) const {
    fault("unknown field" + did_you_mean(key, known));
  }
};

// Calls `visit` for each field of an object; null counts as absent.
template <class Visit>
void each_field(element body, std::string_view parent, Errors& errors, Visit visit) {
  simdjson::dom::object object;
  if (body.get_object().get(object) != simdjson::SUCCESS) {
    errors.push_back({std::string(parent), fmt::format("must be an object, not {}", kind_of(body))});
    return;
  }
  for (const auto [key, value] : object) {
    if (value.is_null()) continue;
    visit(Field{parent, key, value, errors});
  }
}

void read_priority(const Field& field, std::optional<admission::Priority>& out) {
  std::string_view word;
  field.read(word);
  out = admission::parse_priority(word);
  if (!out && field.value.is_string()) {
    field.fault("must be \"high\", \"normal\" or \"low\"" + did_you_mean(word, {"high", "normal", "low"}));
  }
}

Usage read_usage(const Field& parent) {
  static const std::vector<std::string_view> kKnown = {
      "input_tokens",    "cached_input_tokens", "output_tokens", "thoughts_tokens",
      "tool_use_tokens", "total_tokens",        "images"};
  Usage usage;
  std::int64_t total = -1;
  const std::size_t errors_before = parent.errors.size();
  each_field(parent.value, "/usage", parent.errors, [&](const Field& field) {
    if (field.key == "input_tokens") {
      field.read(usage.input_tokens, 0, kMostTokens);
    } else if (field.key == "cached_input_tokens") {
      field.read(usage.cached_input_tokens, 0, kMostTokens);
    } else if (field.key == "output_tokens") {
      field.read(usage.output_tokens, 0, kMostTokens);
    } else if (field.key == "thoughts_tokens") {
      field.read(usage.thoughts_tokens, 0, kMostTokens);
    } else if (field.key == "tool_use_tokens") {
      field.read(usage.tool_use_tokens, 0, kMostTokens);
    } else if (field.key == "images") {
      field.read(usage.images, 0, kMostRequests);
    } else if (field.key == "total_tokens") {
      field.read(total, 0, 4 * kMostTokens);
    } else {
      field.unknown(kKnown);
    }
  });
  if (parent.errors.size() != errors_before) return usage;
  if (usage.cached_input_tokens > usage.input_tokens) {
    parent.errors.push_back(
        {"/usage/cached_input_tokens", "must not exceed input_tokens, of which it is a part"});
  }
  if (total >= 0 && total != usage.total_tokens()) {
    parent.errors.push_back(
        {"/usage/total_tokens",
         fmt::format("is {}, but input + tool_use + output + thoughts make {}; leave it out, or "
                     "send the upstream's answer as \"upstream\"",
                     total, usage.total_tokens())});
  }
  return usage;
}

void read_upstream(const Field& parent, admission::Settlement& settlement, bool& status_told) {
  static const std::vector<std::string_view> kKnown = {"status", "headers", "body"};
  std::int64_t status = 0;
  std::string_view retry_after;
  std::optional<element> body;
  each_field(parent.value, "/upstream", parent.errors, [&](const Field& field) {
    if (field.key == "status") {
      field.read(status, 100, 599);
    } else if (field.key == "headers") {
      each_field(field.value, "/upstream/headers", parent.errors, [&](const Field& header) {
        if (!header.value.is_string()) return;
        if (http::equal_ignoring_case(header.key, "retry-after")) {
          header.read(retry_after);
        } else {
          std::string_view value;
          header.read(value);
          provider::read_rate_limit(header.key, value, settlement.rate_limits);
        }
      });
    } else if (field.key == "body") {
      body = field.value;
    } else {
      field.unknown(kKnown);
    }
  });
  if (!parent.errors.empty()) return;
  if (body) {
    if (!settlement.usage) settlement.usage = provider::usage_of(*body);
    settlement.error = provider::error_of(static_cast<int>(status), *body, retry_after);
  } else {
    settlement.error = provider::error_of(static_cast<int>(status), std::string_view(), retry_after);
  }
  if (status == 0 && settlement.error) status = settlement.error->status;
  if (status != 0) {
    settlement.status = static_cast<int>(status);
    status_told = true;
  }
}

const std::vector<std::string_view> kSettlementFields = {"status", "usage", "upstream", "latency_s",
                                                         "sent_at"};

// True if the field is one of a settlement's. `upstream` is kept for the end: an explicit usage goes before
// what it says.
bool read_settlement_field(const Field& field, admission::Settlement& settlement,
                           std::optional<Field>& upstream, std::int64_t& status) {
  if (field.key == "status") {
    field.read(status, 100, 599);
  } else if (field.key == "usage") {
    settlement.usage = read_usage(field);
  } else if (field.key == "upstream") {
    upstream.emplace(field);
  } else if (field.key == "latency_s") {
    field.read(settlement.latency, 0, 1e6);
  } else if (field.key == "sent_at") {
    field.read(settlement.sent_at);
  } else {
    return false;
  }
  return true;
}

void finish_settlement(admission::Settlement& settlement, const std::optional<Field>& upstream,
                       std::int64_t status) {
  bool status_told = false;
  if (upstream) read_upstream(*upstream, settlement, status_told);
  if (status != 0 && !status_told) settlement.status = static_cast<int>(status);
}

// The amounts that a caller states itself: they go before what its request's body says.
struct Stated {
  bool input = false, output = false, images = false, requests = false;
};

void read_request(const Field& field, const Stated& stated, AdmissionBody& read) {
  if (!field.value.is_object())
    return field.fault(fmt::format("must be an object, not {}", kind_of(field.value)));
  const provider::RequestEstimate estimate = provider::estimate_request(field.value, read.model);
  if (read.model.empty()) {
    read.model = estimate.model.substr(estimate.model.starts_with("models/") ? 7 : 0);
    if (const auto wrong = name_fault(read.model); wrong && !read.model.empty()) {
      field.errors.push_back({"/body/model", *wrong});
    }
  }
  if (!stated.input) {
    read.guess.input = std::max<std::int64_t>(estimate.input_tokens, 1);
    read.guess.uncertain = estimate.uncertain;
  }
  if (!stated.output) read.guess.output = estimate.output_cap;
  if (!stated.images) read.want.images = estimate.images;
  if (!stated.requests) read.want.requests = estimate.requests;
}

}  // namespace

AdmissionBody read_admission(element body, Micros max_wait, Errors& errors) {
  static const std::vector<std::string_view> kKnown = {"project",  "model",         "consumer", "priority",
                                                       "requests", "input_tokens",  "images",   "wait_s",
                                                       "lease_s",  "output_tokens", "body"};
  AdmissionBody read;
  std::optional<Field> request;
  Stated stated;
  each_field(body, "", errors, [&](const Field& field) {
    if (field.key == "model") {
      field.read_name(read.model);
    } else if (field.key == "project") {
      field.read_name(read.project);
    } else if (field.key == "consumer") {
      field.read_name(read.consumer);
    } else if (field.key == "input_tokens") {
      stated.input = true;
      field.read(read.want.input_tokens, 0, kMostTokens);
    } else if (field.key == "output_tokens") {
      stated.output = true;
      field.read(read.want.output_tokens, 0, kMostTokens);
    } else if (field.key == "images") {
      stated.images = true;
      field.read(read.want.images, 0, kMostRequests);
    } else if (field.key == "requests") {
      stated.requests = true;
      field.read(read.want.requests, 1, kMostRequests);
    } else if (field.key == "body") {
      request.emplace(field);
    } else if (field.key == "priority") {
      read_priority(field, read.priority);
    } else if (field.key == "wait_s") {
      field.read(read.wait, 0, seconds(max_wait), " (the most is the configuration's queue.max_wait_s)");
    } else if (field.key == "lease_s") {
      field.read(read.lease, 0.001, seconds(admission::OpenCalls::kMaxLease));
    } else {
      field.unknown(kKnown);
    }
  });
  if (request) read_request(*request, stated, read);
  if (errors.empty() && read.model.empty()) errors.push_back({"/model", "is required"});
  return read;
}

admission::Settlement read_settlement(element body, Errors& errors) {
  admission::Settlement settlement;
  std::optional<Field> upstream;
  std::int64_t status = 0;
  each_field(body, "", errors, [&](const Field& field) {
    if (!read_settlement_field(field, settlement, upstream, status)) field.unknown(kSettlementFields);
  });
  finish_settlement(settlement, upstream, status);
  return settlement;
}

CallBody read_call(element body, Errors& errors) {
  static const std::vector<std::string_view> kKnown = {"project", "model",    "consumer",  "at",     "status",
                                                       "usage",   "upstream", "latency_s", "sent_at"};
  CallBody read;
  std::optional<Field> upstream;
  std::int64_t status = 0;
  each_field(body, "", errors, [&](const Field& field) {
    if (field.key == "project") {
      field.read_name(read.project);
    } else if (field.key == "model") {
      field.read_name(read.model);
    } else if (field.key == "consumer") {
      field.read_name(read.consumer);
    } else if (field.key == "at") {
      field.read(read.at);
    } else if (!read_settlement_field(field, read.settlement, upstream, status)) {
      field.unknown(kKnown);
    }
  });
  finish_settlement(read.settlement, upstream, status);
  if (errors.empty() && read.model.empty()) errors.push_back({"/model", "is required"});
  return read;
}

}  // namespace weir::api
