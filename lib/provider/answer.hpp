// What an upstream's answer says: how much was used, or why it was refused. Pure functions over bytes; no I/O, no clock.
// Damaged input never throws and never invents a number: what cannot be read is absent.
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

// --- usage -----------------------------------------------------------------------------------------------------------

// The usage of one complete JSON answer (unary), whatever API produced it: Gemini generateContent, embeddings, Live,
// Interactions, OpenAI chat / responses / embeddings (Google's compatible endpoint included). nullopt if it has none.
// A JSON array is read as a stream of chunks: the last usage counts. A JSON string is read as the text of an answer
// (server-sent events, or JSON).
std::optional<Usage> usage_of(simdjson::dom::element answer);

// The model that served the call, if the answer names it ("modelVersion", "model"); a view into the element.
std::string_view model_of(simdjson::dom::element answer);

// Reads usage from the bytes of a streamed answer as they pass: server-sent events, or one JSON array, or a unary object, cut
// anywhere. Keeps at most one event (up to `max_event_bytes`; a longer one is skipped, not stored). The last usage counts.
class StreamUsage {
 public:
  explicit StreamUsage(std::size_t max_event_bytes = std::size_t{4} << 20);
  void feed(std::string_view bytes);
  // Tells that the stream has ended: a last event without its blank line is read too.
  void finish();
  [[nodiscard]] const std::optional<Usage>& usage() const { return usage_; }
  // An error object seen in the stream, as its JSON text; empty if none.
  [[nodiscard]] const std::string& error() const { return error_; }

 private:
  // (left to the implementation)
  std::optional<Usage> usage_;
  std::string error_;
};

// --- errors ----------------------------------------------------------------------------------------------------------

enum class ErrorKind : std::uint8_t {
  quota,         // a named or sized quota is used up: see violations
  unnamed_429,   // a 429 that says nothing more: cool down
  spend,         // spend-based rate limit (Gemini, rolling 10 minutes)
  credits,       // prepaid credits or account balance are used up: terminal until somebody pays
  overloaded,    // 503 / 529 and the like: the upstream's own trouble, no quota
  auth,          // key invalid, expired, blocked, leaked, suspended; service disabled
  bad_request,   // other 4xx
  server,        // other 5xx
};
std::string_view to_string(ErrorKind kind);

enum class QuotaPeriod : std::uint8_t { unknown, second, minute, day, month };

struct QuotaViolation {
  std::string quota_id;      // as upstream writes it; may be empty (text-only answers)
  std::string quota_metric;  // as upstream writes it
  std::string model;         // upstream's name, which may differ from the URL's; may be empty
  Metric metric = Metric::requests;
  QuotaPeriod period = QuotaPeriod::unknown;
  bool free_tier = false;
  std::optional<std::int64_t> amount;  // the limit's true size; 0: not available at all
  std::optional<std::int64_t> used;    // where the text says so (OpenAI, Groq)
};

struct UpstreamError {
  int status = 0;       // HTTP status as given, else the body's code
  ErrorKind kind = ErrorKind::bad_request;
  std::string code;     // "RESOURCE_EXHAUSTED", "insufficient_quota", …
  std::string message;  // first 500 bytes
  std::vector<QuotaViolation> violations;
  std::optional<Micros> retry_after;  // the upstream's hint: RetryInfo, Retry-After, or the text
};

// Reads an error answer of any provider: object, array-wrapped, string-wrapped, Interactions, OpenAI, Anthropic, OpenRouter,
// 2024's ErrorInfo form, or plain text. `http_status` 0: take the body's. nullopt if this is no error (status < 400 and no
// error object). `header(name)` semantic: `retry_after_header` is the value of Retry-After, or empty.
std::optional<UpstreamError> error_of(int http_status, std::string_view body, std::string_view retry_after_header = {});
std::optional<UpstreamError> error_of(int http_status, simdjson::dom::element body,
                                      std::string_view retry_after_header = {});

}  // namespace weir::provider
