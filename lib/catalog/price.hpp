// What tokens of one model cost. A value.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "quota/amounts.hpp"

namespace weir::catalog {

// Trillionths of a dollar per token: a dollar per million tokens is 1,000,000, so that published prices,
// which have up to six decimals, are whole.
using PicoUsd = std::int64_t;

// Prices of one model from one day on. Output prices include thinking.
struct Price {
  std::string model;
  std::string valid_from;  // a day; "" = always
  std::string source;
  std::string checked;       // the day on which the source last looked, may be empty
  PicoUsd input = 0;         // per token, as all of them
  PicoUsd cached_input = 0;  // equals input where no cache price is published
  PicoUsd output = 0;
  std::int64_t long_context_from =
      0;  // prompt tokens above which the long_ prices hold for the whole call; 0: never
  PicoUsd long_input = 0;
  PicoUsd long_cached_input = 0;
  PicoUsd long_output = 0;
  bool known = true;  // false: no price is published; everything costs 0
  // Published per-modality prices ("input_audio"). Shown only: a call's usage is not split by modality, so
  // audio, image and video tokens are costed as text.
  std::vector<std::pair<std::string, PicoUsd>> other;

  // Rounded half up once, at the end. The prompt whose size picks the long prices is input and tool use
  // together. Example: 1000 tokens in, 100 of them cached, 200 out of gemini-2.5-flash (0.3 / 0.03 / 2.5 $ a
  // million): 900 * 300,000 + 100 * 30,000 + 200 * 2,500,000 p$ = 773,000 n$. Beyond 64 bits it stays at the
  // largest value.
  [[nodiscard]] NanoUsd cost(const Usage& usage) const;

  bool operator==(const Price&) const = default;
};

}  // namespace weir::catalog
