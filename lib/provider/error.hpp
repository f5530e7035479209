// Why an upstream refused: one form for every API. Pure functions over bytes; no I/O, no clock.
// Damaged input never throws and never invents a number: what cannot be read is absent. Texts are redacted:
// no credential that the upstream quotes comes through.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

#include "quota/amounts.hpp"
#include "time/instant.hpp"

namespace weir::provider {

enum class ErrorKind : std::uint8_t {
  quota,        // a named or sized quota is used up: see violations
  unnamed_429,  // a 429 that says nothing more: cool down
  spend,        // spend-based rate limit (Gemini, rolling 10 minutes)
  credits,      // prepaid credits or account balance are used up: terminal until somebody pays
  overloaded,   // 503 / 529 and the like: the upstream's own trouble, no quota
  auth,         // key invalid, expired, blocked, leaked, suspended; service disabled
  bad_request,  // other 4xx; also a 429 about stored content, which no waiting and no other call changes
  server,       // other 5xx
};
std::string_view to_string(ErrorKind kind);

enum class QuotaPeriod : std::uint8_t { unknown, second, minute, day, month };

struct QuotaViolation {
  std::string quota_id;      // as upstream writes it; may be empty (text-only answers)
  std::string quota_metric;  // as upstream writes it
  std::string model;         // upstream's name, which may differ from the URL's; may be empty
  Metric metric = Metric::requests;
  QuotaPeriod period = QuotaPeriod::unknown;  // by name, never by the length of the hint
  bool free_tier = false;
  std::optional<std::int64_t> amount;  // the limit's true size; 0: not available at all
  std::optional<std::int64_t> used;    // where the text says so (OpenAI, Groq)

  // Whether it counts one model, so that it says nothing of a limit that several models share.
  [[nodiscard]] bool per_model() const {
    return !model.empty() || quota_id.find("PerModel") != std::string::npos;
  }
  bool operator==(const QuotaViolation&) const = default;
};

struct UpstreamError {
  int status = 0;  // HTTP status as given, if it is an error's; else what the body says; 0: neither
  ErrorKind kind = ErrorKind::bad_request;
  std::string code;     // "RESOURCE_EXHAUSTED", "insufficient_quota", ...; at most 64 bytes
  std::string reason;   // Google's ErrorInfo: "API_KEY_INVALID"; at most 64 bytes
  std::string message;  // at most 500 bytes, valid UTF-8
  std::vector<QuotaViolation> violations;  // at most 16
  // The upstream's hint: the longest of RetryInfo, Retry-After (in seconds; a date is not read) and the text,
  // since RetryInfo is often the text's figure cut to whole seconds.
  std::optional<Micros> retry_after;
};

// Reads an error answer of any provider: object, array-wrapped, string-wrapped, Interactions, OpenAI,
// Anthropic, OpenRouter, 2024's ErrorInfo form, cut-off JSON, or plain text. `http_status` 0: unknown, take
// the body's. nullopt if this is no error (status < 400 and no error object). `retry_after_header` is the
// value of Retry-After, or empty.
std::optional<UpstreamError> error_of(int http_status, std::string_view body,
                                      std::string_view retry_after_header = {});
std::optional<UpstreamError> error_of(int http_status, simdjson::dom::element body,
                                      std::string_view retry_after_header = {});

}  // namespace weir::provider
