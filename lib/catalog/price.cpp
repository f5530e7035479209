#include "catalog/price.hpp"

#include <algorithm>

namespace weir::catalog {
namespace {

__extension__ using Wide = __int128;  // any number of tokens fits: prices end at 10^12 p$ (see load.cpp)

constexpr int kPicoPerNano = 1000;
constexpr NanoUsd kMost = 1'000'000'000'000;  // a thousand dollars

}  // namespace

NanoUsd Price::cost(const Usage& usage) const {
  const Wide prompt = Wide{usage.input_tokens} + usage.tool_use_tokens;
  const bool is_long = long_context_from > 0 && prompt > long_context_from;
  // An upstream that reports more cached tokens than it was sent must not make a call cheaper than free.
  const std::int64_t cached = std::min(usage.cached_input_tokens, usage.input_tokens);
  const Wide pico = (prompt - cached) * (is_long ? long_input : input) +
                    Wide{cached} * (is_long ? long_cached_input : cached_input) +
                    (Wide{usage.output_tokens} + usage.thoughts_tokens) * (is_long ? long_output : output);
  const Wide nano = (pico + kPicoPerNano / 2) / kPicoPerNano;
  return static_cast<NanoUsd>(std::min<Wide>(nano, kMost));
}

}  // namespace weir::catalog
