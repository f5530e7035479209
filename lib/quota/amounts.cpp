#include "quota/amounts.hpp"

#include <array>

namespace weir {
namespace {

constexpr std::array<std::string_view, 7> kMetricNames = {
    "requests", "input_tokens", "output_tokens", "total_tokens", "images", "cost_usd", "in_flight"};

}  // namespace

std::string_view to_string(Metric metric) {
  return kMetricNames[static_cast<std::size_t>(metric)];
}

std::optional<Metric> parse_metric(std::string_view text) {
  for (std::size_t i = 0; i < kMetricNames.size(); ++i) {
    if (kMetricNames[i] == text) return static_cast<Metric>(i);
  }
  return std::nullopt;
}

std::int64_t Amounts::of(Metric metric) const {
  switch (metric) {
    case Metric::requests:
      return requests;
    case Metric::input_tokens:
      return input_tokens;
    case Metric::output_tokens:
      return output_tokens;
    case Metric::total_tokens:
      return input_tokens + output_tokens;
    case Metric::images:
      return images;
    case Metric::cost_usd:
      return cost;
    case Metric::in_flight:
      return 1;
  }
  return 0;
}

Amounts operator-(const Amounts& a, const Amounts& b) {
  return {a.requests - b.requests, a.input_tokens - b.input_tokens, a.output_tokens - b.output_tokens,
          a.images - b.images, a.cost - b.cost};
}

Amounts& operator+=(Amounts& a, const Amounts& b) {
  a.requests += b.requests;
  a.input_tokens += b.input_tokens;
  a.output_tokens += b.output_tokens;
  a.images += b.images;
  a.cost += b.cost;
  return a;
}

}  // namespace weir
