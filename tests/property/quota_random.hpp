// Random numbers that are the same on every machine, and how much of them a run wants.
// WEIR_TEST_SEED repeats a failure; WEIR_TEST_SCALE (default 1, with sanitizers 0.05) makes runs longer or
// shorter.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <vector>

namespace weir::property {

class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}

  // Both ends included. The standard's distributions differ between libraries.
  std::int64_t between(std::int64_t low, std::int64_t high) {
    if (high <= low) return low;
    return low + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool percent(int p) { return between(0, 99) < p; }
  template <typename T>
  T pick(const std::vector<T>& of) {
    return of[static_cast<std::size_t>(between(0, static_cast<std::int64_t>(of.size()) - 1))];
  }
  // The ends are where the faults are.
  std::int64_t often_an_end(std::int64_t low, std::int64_t high) {
    const std::int64_t way = between(0, 3);
    return way == 0 ? low : way == 1 ? high : between(low, high);
  }

 private:
  std::mt19937_64 engine_;
};

inline std::uint64_t first_seed() {
  const char* text = std::getenv("WEIR_TEST_SEED");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 20261123;
}

inline int scaled(int runs) {
  const char* text = std::getenv("WEIR_TEST_SCALE");
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr double kDefault = 0.05;  // some twenty times slower
#else
  constexpr double kDefault = 1.0;
#endif
  const double scale = text != nullptr ? std::strtod(text, nullptr) : kDefault;
  return std::max(1, static_cast<int>(runs * scale));
}

}  // namespace weir::property
