// What a call uses, in the units that limits count.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir {

enum class Metric : std::uint8_t {
  requests,
  input_tokens,
  output_tokens,
  total_tokens,
  images,
  cost_usd,
  in_flight
};

std::string_view to_string(Metric metric);
std::optional<Metric> parse_metric(std::string_view text);

// Money: billionths of a US dollar, so that a single token's price (0.075 $ a million = 75) is still whole.
using NanoUsd = std::int64_t;

// An upstream's own account of a call, normalised: total = input + tool_use + output + thoughts; cached_input
// is a part of input. All >= 0.
struct Usage {
  std::int64_t input_tokens = 0;
  std::int64_t cached_input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t thoughts_tokens = 0;
  std::int64_t tool_use_tokens = 0;
  std::int64_t images = 0;  // generated; known only where the upstream says so

  [[nodiscard]] std::int64_t total_tokens() const {
    return input_tokens + tool_use_tokens + output_tokens + thoughts_tokens;
  }
  bool operator==(const Usage&) const = default;
};

// What one call takes from limits. Input tokens include tool use, output tokens include thoughts.
struct Amounts {
  std::int64_t requests = 1;
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  std::int64_t images = 0;
  NanoUsd cost = 0;

  // in_flight counts the call itself: 1.
  [[nodiscard]] std::int64_t of(Metric metric) const;
  bool operator==(const Amounts&) const = default;
};

Amounts operator-(const Amounts& a, const Amounts& b);
Amounts& operator+=(Amounts& a, const Amounts& b);

}  // namespace weir
