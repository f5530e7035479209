// What the prose of a refusal says about limits and waiting. Internal to this room.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "provider/error.hpp"
#include "time/instant.hpp"

namespace weir::provider {

// A text, folded once. `complete` is false for a body that was cut off: a number or duration at its very end
// is not believed.
class ErrorText {
 public:
  ErrorText(std::string_view text, bool complete);

  [[nodiscard]] bool contains(std::string_view lower_case) const;
  // "Please retry in 21.4s", "try again in 1.78s", "retry in 14h45m30s", "retry after 6 seconds"; the
  // longest.
  [[nodiscard]] std::optional<Micros> retry_hint() const;
  // Limits in the forms that providers write, each with the name and size that the text gives:
  //   Google        "Quota exceeded for metric: M, limit: 20, model: X" (a line each), "quota metric 'M' and
  //   limit 'L'" Interactions  "limit: 10 requests per day on Free Tier"; Anthropic "rate limit of 50,000
  //   input tokens per minute" OpenAI, Groq  "Rate limit reached for X … on tokens per min (TPM): Limit
  //   30000, Used 30000, Requested 890" OpenRouter    "Rate limit exceeded: free-models-per-day"
  [[nodiscard]] std::vector<QuotaViolation> violations() const;

 private:
  [[nodiscard]] std::string_view word_at(std::size_t at) const;
  [[nodiscard]] std::optional<std::int64_t> number_at(std::size_t at, std::size_t* end = nullptr) const;
  [[nodiscard]] std::optional<std::int64_t> number_after(std::string_view lead, std::size_t from,
                                                         std::size_t to) const;
  [[nodiscard]] std::string model_between(std::size_t from, std::size_t to) const;
  [[nodiscard]] bool cut_at(std::size_t end) const { return !complete_ && end >= text_.size(); }
  void google_lines(std::vector<QuotaViolation>& found) const;
  void google_2024(std::vector<QuotaViolation>& found) const;
  void openai(std::vector<QuotaViolation>& found) const;
  void sized(std::string_view lead, std::vector<QuotaViolation>& found) const;
  void openrouter(std::vector<QuotaViolation>& found) const;

  std::string_view text_;
  std::string lower_;  // text_ in small letters, byte for byte
  bool complete_;
};

// What a limit counts and over what time, by its name: "…InputTokensPerModelPerMinute…", "…_per_day", "tokens
// per min".
Metric metric_named(std::string_view quota_id, std::string_view quota_metric);
QuotaPeriod period_named(std::string_view name);
bool free_tier_named(std::string_view name);

}  // namespace weir::provider
