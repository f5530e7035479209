// Runs arrivals through the admission service in virtual time: the very service of the daemon, over a journal
// that keeps nothing, told what time it is.
//
// Events of one moment go in this order: calls reach the provider, answers are settled (both in the order in
// which they became known), the waiting line and leases are looked after, calls arrive. Deterministic: no
// clock, and no chance but the modelled provider's seeded one. Memory is that of the calls that are open or
// wait.
//
// What a simulated caller does: it takes a lease that covers its call's latency (at least the daemon's
// default of 120 s; a call of more than an hour outlives the longest lease and keeps its charge), sends at
// its admission, and settles when the answer is there, with sent_at, usage as asked for, and the latency.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "admission/service.hpp"
#include "ledger/null_journal.hpp"
#include "telemetry/metrics.hpp"

#include "simulation/trace.hpp"
#include "simulation/upstream.hpp"

namespace weir::simulation {

enum class Decision : std::uint8_t { admitted, denied, timed_out };
std::string_view to_string(Decision decision);

// Views are valid during the call that tells it.
struct Decided {
  std::string_view id;
  Decision decision = Decision::admitted;
  Micros at{0};  // its arrival, since the start
  Micros decided_at{0};
  // That had no room, and of several the one that will have none for longest; nullopt: admitted, or refused
  // by no limit.
  std::optional<quota::LimitId> limit;
  admission::Verdict verdict{};               // the service's own word: more than three reasons refuse
  const admission::OpenCall* call = nullptr;  // admitted
};

class Engine {
 public:
  using Sink = std::function<void(const Decided&)>;

  // `start`: the wall clock at 0. Without `upstream`, every admitted call is answered with 200. Decisions are
  // told to `sink` in the order in which they fall.
  Engine(const admission::Setup& setup, const catalog::Catalog& catalog, WallTime start,
         const std::optional<UpstreamOptions>& upstream, Sink sink);

  // Lets time pass until the arrival, then decides it or puts it in line. False: no project or pool has its
  // name. Arrivals come in time order.
  bool arrive(const Arrival& arrival);
  // Lets time pass until no call waits and every admitted one is answered.
  void finish();

  // Now, on the simulation's axis and on those of the service.
  [[nodiscard]] Micros elapsed() const { return now_; }
  [[nodiscard]] Now now() const { return {start_ + now_, wall_start_ + now_}; }

  [[nodiscard]] admission::Service& service() { return service_; }
  // nullptr if none is modelled.
  [[nodiscard]] const Upstream* upstream() const { return upstream_.get(); }
  // How often the provider refused a call for a limit of the service's book.
  [[nodiscard]] std::int64_t refused_upstream(quota::LimitId id) const;

 private:
  using Slot = std::uint32_t;
  // A call that waits or is open.
  struct Call {
    std::string id;
    Micros at{0}, latency{0};
    std::int64_t input_tokens = 0, output_tokens = 0;
    ledger::CallId admission = 0;
    const admission::Lane* lane = nullptr;
    Micros admitted{0};
  };
  struct Event {
    Micros at;
    std::uint64_t order;
    Slot slot;
    bool reaches_upstream;  // else its answer is settled
    bool operator>(const Event& other) const { return at != other.at ? at > other.at : order > other.order; }
  };

  Slot keep(const Arrival& arrival);
  void decide(std::string_view id, Micros at, const admission::Answer& answer);
  void admitted(Slot slot, const admission::Answer& answer);
  void schedule(Micros at, Slot slot, bool reaches_upstream);
  void advance(Micros to);
  void look_after();
  [[nodiscard]] std::optional<Micros> next_look() const;
  void reach(Slot slot);
  void settle(Slot slot, int status, std::optional<provider::UpstreamError> error);
  std::optional<Upstream::Limit> upstream_limit(quota::LimitId id);

  const WallTime wall_start_;
  const SteadyTime start_;
  Sink sink_;
  telemetry::Registry metrics_;  // nobody reads them
  ledger::NullJournal journal_;
  admission::Service service_;
  std::unique_ptr<Upstream> upstream_;
  std::vector<std::optional<Upstream::Limit>> upstream_limits_;  // by LimitId
  std::vector<bool> upstream_known_;                             // likewise
  std::vector<quota::LimitId> book_limits_;                      // by Upstream::Limit
  std::vector<Upstream::Limit> touched_;                         // of the call that reaches it

  Micros now_{0};
  Micros looked_at_{0};
  std::vector<Call> calls_;
  std::vector<Slot> free_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t last_order_ = 0;
};

}  // namespace weir::simulation
