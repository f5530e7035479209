#include "provider/error.hpp"

#include <algorithm>
#include <array>

#include "provider/error_text.hpp"
#include "provider/json.hpp"
#include "provider/redact.hpp"
#include "provider/violations.hpp"
#include "time/duration.hpp"

namespace weir::provider {
namespace {

using json::Element;
using json::member;

constexpr std::string_view kBlank = " \t\r\n";
constexpr std::size_t kMaxMessage = 500;
constexpr std::size_t kMaxCode = 64;
constexpr int kMaxWraps = 3;  // an SDK's error around a proxy's around the provider's

// What is known of an error before it is judged.
struct Reading {
  int status = 0;
  std::string_view code;
  std::string_view reason;  // Google's ErrorInfo: "API_KEY_INVALID"
};

bool any_of(std::initializer_list<std::string_view> words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

// For answers without a status of their own: an error inside a stream, or OpenAI's and Anthropic's names.
int status_named(std::string_view code) {
  struct Name {
    std::string_view code;
    int status;
  };
  static constexpr std::array kNames = {
      Name{"RESOURCE_EXHAUSTED", 429},  Name{"too_many_requests", 429},
      Name{"rate_limit_exceeded", 429}, Name{"rate_limit_error", 429},
      Name{"insufficient_quota", 429},  Name{"UNAVAILABLE", 503},
      Name{"overloaded_error", 529},    Name{"INTERNAL", 500},
      Name{"api_error", 500},           Name{"server_error", 500},
      Name{"DEADLINE_EXCEEDED", 504},   Name{"INVALID_ARGUMENT", 400},
      Name{"FAILED_PRECONDITION", 400}, Name{"invalid_request_error", 400},
      Name{"PERMISSION_DENIED", 403},   Name{"permission_error", 403},
      Name{"UNAUTHENTICATED", 401},     Name{"authentication_error", 401},
      Name{"invalid_api_key", 401},     Name{"NOT_FOUND", 404},
      Name{"not_found_error", 404},
  };
  for (const Name& name : kNames) {
    if (name.code == code) return name.status;
  }
  return 0;
}

bool is_credits(const Reading& reading, const ErrorText& text) {
  if (reading.status == 402 || any_of({"insufficient_quota", "billing_hard_limit_reached"}, reading.code))
    return true;
  if (reading.status >= 500) return false;
  return text.contains("prepayment credits are depleted") || text.contains("credit balance is too low") ||
         text.contains("insufficient credits");
}

bool is_auth(const Reading& reading, const ErrorText& text) {
  if (reading.status == 401 ||
      any_of({"invalid_api_key", "authentication_error", "permission_error"}, reading.code)) {
    return true;
  }
  if (reading.status != 400 && reading.status != 403) return false;
  if (reading.reason.starts_with("API_KEY_") || reading.reason.starts_with("CONSUMER_") ||
      any_of({"SERVICE_DISABLED", "BILLING_DISABLED", "ACCESS_TOKEN_EXPIRED"}, reading.reason)) {
    return true;
  }
  if (text.contains("api key not valid") || text.contains("api key expired") ||
      text.contains("api key not found")) {
    return true;
  }
  // A 403 may also be about one file, one cached content or one prompt; then the key is good.
  return reading.status == 403 && !text.contains("not found") &&
         (text.contains("api key") || text.contains("has been suspended") ||
          text.contains("reported as leaked") || text.contains("or it is disabled") ||
          text.contains("denied access") || text.contains("does not have permission") ||
          text.contains("unregistered callers"));
}

ErrorKind kind_of(const Reading& reading, const ErrorText& text, bool named) {
  if (is_credits(reading, text)) return ErrorKind::credits;
  if (reading.status == 429) {
    if (named) return ErrorKind::quota;
    if (text.contains("spend-based rate limit")) return ErrorKind::spend;
    // A limit on what is kept, "TotalCachedContentStorageTokensPerModelFreeTier": waiting does not help.
    if (text.contains("cachedcontentstorage")) return ErrorKind::bad_request;
    return ErrorKind::unnamed_429;
  }
  if (reading.status == 503 || reading.status == 529 ||
      any_of({"UNAVAILABLE", "overloaded_error"}, reading.code)) {
    return ErrorKind::overloaded;
  }
  if (is_auth(reading, text)) return ErrorKind::auth;
  return reading.status >= 400 && reading.status < 500 ? ErrorKind::bad_request : ErrorKind::server;
}

std::optional<Micros> header_hint(std::string_view header) {
  while (header.starts_with(' ')) header.remove_prefix(1);
  while (header.ends_with(' ')) header.remove_suffix(1);
  if (header.empty() || header.find_first_not_of("0123456789.") != std::string_view::npos)
    return std::nullopt;
  return parse_duration(std::string(header) + "s");
}

std::optional<Micros> longest(std::optional<Micros> a, std::optional<Micros> b) {
  if (!a || !b) return a ? a : b;
  return std::max(*a, *b);
}

// RetryInfo, wherever in the details.
std::optional<Micros> retry_info(Element error) {
  std::optional<Micros> hint;
  simdjson::dom::array details;
  const auto list = member(error, "details");
  if (!list || list->get(details) != simdjson::SUCCESS) return hint;
  for (const Element detail : details) hint = longest(hint, parse_duration(json::text(detail, "retryDelay")));
  return hint;
}

std::string_view reason_of(Element error) {
  simdjson::dom::array details;
  const auto list = member(error, "details");
  if (!list || list->get(details) != simdjson::SUCCESS) return {};
  for (const Element detail : details) {
    if (const auto reason = json::text(detail, "reason"); !reason.empty()) return reason;
  }
  return {};
}

// Google's status, OpenAI's code, Anthropic's and OpenAI's type, OpenRouter's error_type: the first there is.
std::string_view code_of(Element error) {
  for (const std::string_view key : {"status", "code", "type"}) {
    if (const auto code = json::text(error, key); !code.empty()) return code;
  }
  const auto metadata = member(error, "metadata");
  return metadata ? json::text(*metadata, "error_type") : std::string_view();
}

bool is_status(std::int64_t status) {
  return status >= 400 && status < 600;
}

int status_of(Element error, std::string_view code) {
  for (const std::string_view key : {"code", "status"}) {
    const auto value = member(error, key);
    if (!value) continue;
    if (const auto number = json::count(*value); number && is_status(*number))
      return static_cast<int>(*number);
  }
  return status_named(code);
}

std::optional<UpstreamError> wrapped_error(int http_status, std::string_view text, std::string_view header,
                                           int wraps);

// `cut_body` is the text that a repaired error was cut from: its message may be the part that was lost.
UpstreamError read_error(int http_status, Element error, std::string_view header, int wraps,
                         std::string_view cut_body = {}) {
  std::string_view message = json::text(error, "message");
  if (error.is_string() && error.get(message) != simdjson::SUCCESS) message = {};

  Reading reading;
  reading.code = code_of(error);
  reading.reason = reason_of(error);
  reading.status = is_status(http_status) ? http_status : status_of(error, reading.code);
  if (auto inner = wrapped_error(reading.status, message, header, wraps + 1)) return *std::move(inner);

  const bool message_lost = message.empty() && !cut_body.empty();
  if (message_lost) message = cut_body;

  const ErrorText text(message, !message_lost);
  UpstreamError result;
  result.violations = violations_of(error, text);
  result.status = reading.status;
  result.kind = kind_of(reading, text, !result.violations.empty());
  result.code = presentable(reading.code, kMaxCode);
  result.reason = presentable(reading.reason, kMaxCode);
  result.message = presentable(message, kMaxMessage);
  result.retry_after = longest(longest(retry_info(error), header_hint(header)), text.retry_hint());
  return result;
}

std::optional<UpstreamError> parsed_error(int http_status, std::string_view text, std::string_view header,
                                          int wraps, std::string_view cut_body = {}) {
  simdjson::dom::parser parser;
  Element answer;
  if (parser.parse(text.data(), text.size()).get(answer) != simdjson::SUCCESS) return std::nullopt;
  const auto error = json::error_in(answer);
  if (!error) return std::nullopt;
  return read_error(http_status, *error, header, wraps, cut_body);
}

// The error in JSON that stands in a text: the whole of it, behind other words, or cut off.
std::optional<UpstreamError> wrapped_error(int http_status, std::string_view text, std::string_view header,
                                           int wraps) {
  const std::size_t start = text.find_first_not_of(kBlank);
  if (start == std::string_view::npos || wraps > kMaxWraps) return std::nullopt;
  if (text[start] == '"') {
    simdjson::dom::parser parser;
    std::string_view inner;
    if (parser.parse(text.data(), text.size()).get(inner) == simdjson::SUCCESS) {
      return wrapped_error(http_status, inner, header, wraps + 1);
    }
  }
  const std::size_t begin = text[start] == '[' ? start : text.find('{');
  if (begin == std::string_view::npos) return std::nullopt;
  const std::size_t end = text.rfind(text[begin] == '[' ? ']' : '}');
  if (end != std::string_view::npos && end > begin) {
    if (auto found = parsed_error(http_status, text.substr(begin, end + 1 - begin), header, wraps))
      return found;
  }
  const auto closed = json::close_truncated(text.substr(begin));
  return closed ? parsed_error(http_status, *closed, header, wraps, text) : std::nullopt;
}

UpstreamError plain_error(int http_status, std::string_view body, std::string_view header) {
  // A body that begins like JSON and is none was cut off.
  const std::size_t start = body.find_first_not_of(kBlank);
  const bool complete = start == std::string_view::npos || (body[start] != '{' && body[start] != '[');
  const ErrorText text(body, complete);
  UpstreamError result;
  result.status = http_status;
  result.violations = text.violations();
  result.kind = kind_of({http_status, {}, {}}, text, !result.violations.empty());
  result.message = presentable(body, kMaxMessage);
  result.retry_after = longest(header_hint(header), text.retry_hint());
  return result;
}

}  // namespace

std::string_view to_string(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::quota:
      return "quota";
    case ErrorKind::unnamed_429:
      return "unnamed_429";
    case ErrorKind::spend:
      return "spend";
    case ErrorKind::credits:
      return "credits";
    case ErrorKind::overloaded:
      return "overloaded";
    case ErrorKind::auth:
      return "auth";
    case ErrorKind::bad_request:
      return "bad_request";
    case ErrorKind::server:
      return "server";
  }
  return "server";
}

std::optional<UpstreamError> error_of(int http_status, std::string_view body,
                                      std::string_view retry_after_header) {
  if (auto found = wrapped_error(http_status, body, retry_after_header, 0)) return found;
  if (!is_status(http_status)) return std::nullopt;
  return plain_error(http_status, body, retry_after_header);
}

std::optional<UpstreamError> error_of(int http_status, simdjson::dom::element body,
                                      std::string_view retry_after_header) {
  if (const auto error = json::error_in(body)) return read_error(http_status, *error, retry_after_header, 0);
  std::string_view text;
  if (body.get(text) == simdjson::SUCCESS) return error_of(http_status, text, retry_after_header);
  if (!is_status(http_status)) return std::nullopt;
  return plain_error(http_status, simdjson::minify(body), retry_after_header);
}

}  // namespace weir::provider
