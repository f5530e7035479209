// What an answer's headers say about limits: x-ratelimit-* (OpenAI, Groq, OpenRouter) and
// anthropic-ratelimit-*. Gemini sends none. Pure; bad values are absent, never invented.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "provider/error.hpp"
#include "quota/amounts.hpp"
#include "time/instant.hpp"

namespace weir::provider {

struct RateLimit {
  std::string header;  // without limit, remaining, reset: "x-ratelimit-requests"
  Metric metric = Metric::requests;
  QuotaPeriod period = QuotaPeriod::unknown;  // unknown where the names do not tell
  std::optional<std::int64_t> limit, remaining;
  std::optional<Micros> reset_after;  // "2m59.56s", "120ms"
  std::optional<WallTime> reset_at;   // RFC 3339, or the milliseconds of OpenRouter

  // 0 if nothing was said.
  [[nodiscard]] Micros reset_in(WallTime now) const;
  bool operator==(const RateLimit&) const = default;
};

// Takes one header after the other, any case; those of no concern cost a comparison.
void read_rate_limit(std::string_view name, std::string_view value, std::vector<RateLimit>& into);

}  // namespace weir::provider
