// What every fuzz target is: a function of some bytes that must end, well-behaved, whatever they are.
//
// The first bytes may steer it (which reader, how the rest is cut); it says so itself. With clang it is a
// libFuzzer program (scripts/fuzz); in every build it is replayed over its corpus (ctest -R fuzz_corpus).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace weir::fuzz {

void run(std::string_view input);

inline void expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

// Takes the first byte off `input`; 0 if there is none.
inline unsigned take_byte(std::string_view& input) {
  if (input.empty()) return 0;
  const auto byte = static_cast<unsigned char>(input.front());
  input.remove_prefix(1);
  return byte;
}

// Hands `bytes` on in pieces whose sizes follow from `seed`; 0: in one.
template <class Feed>
void in_pieces(std::string_view bytes, unsigned seed, const Feed& feed) {
  std::uint32_t state = seed;
  while (!bytes.empty()) {
    state = state * 1664525 + 1013904223;
    const std::size_t size = seed == 0 ? bytes.size() : 1 + (state >> 24) % (seed % 2 == 0 ? 3 : 60);
    feed(bytes.substr(0, size));
    bytes.remove_prefix(std::min(size, bytes.size()));
  }
}

}  // namespace weir::fuzz
