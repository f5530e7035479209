// Idempotency keys: a retry of an admission gets the first answer. The ledger keeps them too, so a retry
// after a crash does as well. Bounded: kept for a day, and the newest 100,000; an older key is as good as
// new. Loop thread only.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string_view>

#include <boost/unordered/unordered_flat_map.hpp>

#include "ledger/records.hpp"
#include "time/instant.hpp"

namespace weir::admission {

struct KeyHash {
  std::uint64_t high = 0, low = 0;
  bool operator==(const KeyHash&) const = default;
};

// 128 bits, so that two different keys do not meet by chance.
KeyHash hash_of(std::string_view text);

class Idempotency {
 public:
  static constexpr std::size_t kMaxKeys = 100'000;
  static constexpr Micros kKeep = std::chrono::hours(24);

  struct First {
    std::uint64_t body_hash = 0;
    ledger::CallId call = 0;  // 0: the first request still waits for its admission
  };
  [[nodiscard]] std::optional<First> find(const KeyHash& key) const;
  // `at`: of the first request. Replaces a waiting one.
  void remember(const KeyHash& key, const First& first, SteadyTime at);
  void forget(const KeyHash& key) { keys_.erase(key); }
  void forget(std::span<const ledger::CallId> calls);  // linear: for failures
  [[nodiscard]] std::size_t size() const { return keys_.size(); }

 private:
  struct Hash {
    std::size_t operator()(const KeyHash& key) const { return key.low; }
  };
  struct Kept {
    First first;
    SteadyTime at;
  };
  boost::unordered_flat_map<KeyHash, Kept, Hash> keys_;
  std::deque<std::pair<SteadyTime, KeyHash>> by_age_;  // also of keys that were forgotten since
};

}  // namespace weir::admission
