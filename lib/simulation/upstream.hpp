// A modelled provider: it counts the calls that reach it in its own way, and refuses those beyond its limits.
//
// On purpose without a line of lib/quota's arithmetic: what it shares with Weir is what a limit says, not how
// it is held. Each limit is counted exactly (a log of calls, a counter, a bucket). The
// recorders of tests/property/quota_upstream.hpp are the same idea for another use: they judge a finished
// list afterwards, in any order and for every phase at once; here each call has to be answered when it comes,
// in memory that does not grow with the trace. They stay apart, so that each can convict the other.
//
// A refused call counts nothing: whether a provider's 429 counts is unknown, and that is the kinder answer.
// Deterministic; time is passed in and does not go back.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <span>
#include <variant>
#include <vector>

#include "quota/limit.hpp"
#include "time/instant.hpp"
#include "time/zone.hpp"

namespace weir::simulation {

// How limits of a duration ("60s") are counted; calendar limits have but one way.
enum class Counting : std::uint8_t {
  sliding,  // every interval of that length
  fixed,    // intervals that begin at whole multiples of the length, plus `phase`
  bucket,   // holds the amount, full at first, refilled evenly at the amount a length
};

struct UpstreamOptions {
  Counting counting = Counting::sliding;
  Micros phase{0};   // of fixed windows, on the wall clock
  Micros jitter{0};  // a call reaches it so long after its admission, at most
  std::uint64_t seed = 1;
};

class Upstream {
 public:
  using Limit = std::uint32_t;  // from 0, in the order of add()

  explicit Upstream(const UpstreamOptions& options) : options_(options), random_(options.seed) {}

  // Whether a provider would count it when a call comes: requests and input tokens, over a duration or a
  // calendar period, of all consumers together.
  static bool counts(const quota::LimitSpec& spec);
  Limit add(const quota::LimitSpec& spec);

  // How long the next call is on its way: 0 to options.jitter.
  Micros delay();

  struct Verdict {
    std::vector<Limit> refused_by;  // empty: taken, and counted on all of `limits`
    Micros retry_after{0};          // until all of these have room, if nothing else comes
  };
  const Verdict& call(std::span<const Limit> limits, std::int64_t input_tokens, WallTime at);

  struct Count {
    std::int64_t taken = 0, refused = 0;  // calls
  };
  [[nodiscard]] const Count& total() const { return total_; }
  [[nodiscard]] std::int64_t refused_by(Limit limit) const { return limits_[limit].refused; }
  [[nodiscard]] const UpstreamOptions& options() const { return options_; }

 private:
  struct Log {
    struct Entry {
      WallTime at;
      std::int64_t amount;
    };
    std::deque<Entry> entries;
    std::int64_t sum = 0;
  };
  struct Fixed {
    std::int64_t index = -1;
    std::int64_t sum = 0;
  };
  struct Bucket {
    std::optional<WallTime> filled_at;  // nullopt: full
    double level = 0;
  };
  struct Calendar {
    Zone zone;
    CalendarUnit unit;
    WallInterval period{};
    std::int64_t sum = 0;
  };
  struct Counter {
    std::int64_t amount;
    bool tokens;
    Micros length;
    std::variant<Log, Fixed, Bucket, Calendar> how;
    std::int64_t refused = 0;
  };

  void advance(Counter& counter, WallTime at) const;
  // How long until `want` fits; 0 if it does. Advanced to `at`.
  [[nodiscard]] Micros wait(const Counter& counter, std::int64_t want, WallTime at) const;
  static void take(Counter& counter, std::int64_t amount, WallTime at);

  UpstreamOptions options_;
  std::mt19937_64 random_;
  std::vector<Counter> limits_;
  Count total_;
  Verdict verdict_;
};

}  // namespace weir::simulation
