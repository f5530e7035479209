#include "ledger/records.hpp"

#include <array>

namespace weir::ledger {

std::string_view to_string(State state) {
  static constexpr std::array<std::string_view, 4> kNames = {"open", "settled", "expired", "cancelled"};
  return kNames[static_cast<std::size_t>(state)];
}

Totals& Totals::operator+=(const Totals& other) {
  calls += other.calls;
  errors += other.errors;
  denied += other.denied;
  expired += other.expired;
  usage.input_tokens += other.usage.input_tokens;
  usage.cached_input_tokens += other.usage.cached_input_tokens;
  usage.output_tokens += other.usage.output_tokens;
  usage.thoughts_tokens += other.usage.thoughts_tokens;
  usage.tool_use_tokens += other.usage.tool_use_tokens;
  usage.images += other.usage.images;
  cost += other.cost;
  charged += other.charged;
  return *this;
}

Totals negative(const Totals& t) {
  return {-t.calls,
          -t.errors,
          -t.denied,
          -t.expired,
          {-t.usage.input_tokens, -t.usage.cached_input_tokens, -t.usage.output_tokens,
           -t.usage.thoughts_tokens, -t.usage.tool_use_tokens, -t.usage.images},
          -t.cost,
          {-t.charged.requests, -t.charged.input_tokens, -t.charged.output_tokens, -t.charged.images,
           -t.charged.cost}};
}

}  // namespace weir::ledger
