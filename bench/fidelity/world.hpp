// A provider, callers and a limiter between them, in virtual time. Everything but the limiter is the same for
// all of them: the same seeds, costs, latencies and delays on the way.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "quota/limit.hpp"
#include "time/instant.hpp"

#include "simulation/upstream.hpp"

namespace weir::bench {

inline constexpr Micros kNever = Micros::max();
inline constexpr WallTime kZero = WallTime(Micros(1'801'468'800'000'000));  // 2027-02-01T08:00:00Z

struct Call {
  int consumer = 0;
  std::int64_t tokens = 0;
  Micros latency{0};  // from its count by the provider to its answer
  Micros asked{0};    // for the first time
  Micros started{0};  // last
  int refusals = 0;
  std::int64_t admission = 0;  // for the limiter
};

// What stands between callers and the provider.
class Limiter {
 public:
  using Start = std::function<void(Call&, Micros now)>;

  virtual ~Limiter() = default;
  // The call wants to go: `start` is called for it, at once or later.
  virtual void ask(Call& call, Micros now) = 0;
  // The provider answered; with a refusal, the call will be asked for again after `pause`.
  virtual void answered(const Call& /*call*/, Micros /*now*/) {}
  virtual Micros refused(const Call& call, const simulation::Upstream::Verdict& verdict, Micros now);
  // When it wants to be woken; kNever: not.
  [[nodiscard]] virtual Micros next() const { return kNever; }
  virtual void wake(Micros /*now*/) {}

  Start start;
};

struct Scenario {
  quota::LimitSpec limit;           // what the limiter is told
  quota::LimitSpec provider_limit;  // what the provider holds to
  simulation::UpstreamOptions provider;
  // Calls that each consumer keeps asking for, one after the other; the first is the greedy one.
  std::vector<int> callers;
  // Above 0: instead, calls come at random moments, 1 to `most_at_once` of one consumer at a time.
  double calls_per_s = 0;
  std::int64_t most_at_once = 1;
  std::int64_t most_tokens = 0;  // each call takes 1 to so many
  Micros warm_up{0}, length{0};  // measured: `length` after `warm_up`
  std::int64_t batch = 0;        // calls whose end is taken from the begin of all
};

struct Result {
  std::int64_t reached = 0, refused = 0;  // calls, by the provider
  // Of the limit, used in the measured time: what went through, from the moment of one call to that of
  // another a whole number of limits later, so that it is exact however calls come in bursts.
  double share = 0;
  Micros batch{0};                // when the batch was through; 0: not
  Micros longest_wait{0};         // from a call's first asking to its last start
  Micros longest_wait_greedy{0};  // of the greedy consumer's calls, which the other leaves out
  double gap = 0;  // the most that a consumer got less the least, in parts of what each should have
};

Result run(const Scenario& scenario, Limiter& limiter);

}  // namespace weir::bench
