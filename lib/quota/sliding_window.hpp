// How much of a sliding limit is in use.
//
// A charge whose latest possible moment upstream is `latest` counts while latest + length > now. Moments are
// rounded up to 1/256 of the length, so memory stays bounded whatever the rate, and a charge leaves at most
// that much late, never early. Example, length 60 s: a charge with latest 10.0 s falls into the bucket that
// ends at 10.078125 s and leaves at 70.078125 s.
//
// Rejected: a deque of single charges (exact to the microsecond, but grows with the rate), and two fixed
// windows weighted by time (lets up to twice the limit through in a real window).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "time/instant.hpp"

namespace weir::quota {

class SlidingWindow {
 public:
  static constexpr std::int64_t kBuckets = 256;

  explicit SlidingWindow(Micros length)
      : length_(length), bucket_((length + Micros(kBuckets - 1)) / kBuckets) {}

  // Drops what has left by `now`. `now` never goes back (it is steady); an earlier one changes nothing.
  void advance(SteadyTime now);
  // Adds `amount` (negative: takes back what was added with the same `latest`). Nothing if it has already
  // left by the last advance().
  void add(SteadyTime latest, std::int64_t amount);
  // Adds (sign 1) or takes back (-1) all that `other`, of the same length, has in use.
  void add(const SlidingWindow& other, int sign);

  [[nodiscard]] std::int64_t used() const { return used_; }
  [[nodiscard]] Micros length() const { return length_; }
  // The instant at which at least `amount` of what is in use will have left; nullopt if less than that is in
  // use.
  [[nodiscard]] std::optional<SteadyTime> freed(std::int64_t amount) const;
  // When the oldest charge leaves; nullopt if there is none.
  [[nodiscard]] std::optional<SteadyTime> next_leave() const;

 private:
  struct Bucket {
    std::int64_t index;  // holds latest in ((index - 1) * bucket_, index * bucket_]
    std::int64_t amount;
  };
  [[nodiscard]] SteadyTime leaves(const Bucket& b) const { return SteadyTime(b.index * bucket_) + length_; }

  Micros length_;
  Micros bucket_;
  std::vector<Bucket> buckets_;  // ascending; live ones from head_ on
  std::size_t head_ = 0;
  std::int64_t used_ = 0;
  SteadyTime advanced_to_{};
};

}  // namespace weir::quota
