// The service's metrics. Children are resolved when a lane or a limit is made; on
// the way of an admission there are only additions. Loop thread only.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/journal.hpp"
#include "quota/book.hpp"
#include "telemetry/metrics.hpp"

namespace weir::admission {

enum class Decision : std::uint8_t { admitted, denied, timed_out, cancelled, expired };

struct LaneMetrics {
  telemetry::Counter* admitted = nullptr;
  telemetry::Counter* cancelled = nullptr;
  telemetry::Counter* expired = nullptr;
  // By position in the lane's limits; the last: by none of them, others came first or the line was full.
  std::vector<telemetry::Counter*> denied;
  std::vector<telemetry::Counter*> timed_out;
  telemetry::Counter* input = nullptr;  // without the cached part: the types are disjoint
  telemetry::Counter* cached_input = nullptr;
  telemetry::Counter* output = nullptr;
  telemetry::Counter* thoughts = nullptr;
  telemetry::Counter* tool_use = nullptr;
  telemetry::Counter* cost = nullptr;
  telemetry::Counter* ok = nullptr;           // calls with status 200
  telemetry::Counter* upstream_ok = nullptr;  // upstream's answers with code 200
  telemetry::Histogram* estimate_error = nullptr;
};

class Metrics {
 public:
  explicit Metrics(telemetry::Registry& registry);

  LaneMetrics lane(const std::string& project, const std::string& model, const std::string& consumer,
                   const std::vector<std::string>& limit_names);
  // What is counted by project shows at 0 from now on, or its first increase would be invisible.
  void add_project(const std::string& project);
  // In the order of their ids.
  void add_limit(const std::string& project, const quota::LimitSpec& spec);
  // A new configuration: limits, and what waits for them, are told anew.
  void forget_limits();

  void count_call(const LaneMetrics& lane, const std::string& project, const std::string& model,
                  const std::string& consumer, const ledger::Outcome& outcome);
  void observe_wait(Micros waited) { wait_->observe(seconds(waited)); }
  void count_observation(const std::string& project, const std::string& kind) {
    observations_.counter({project, kind}).add();
  }
  void count_over_admission(const std::string& project, const std::string& limit) {
    over_admissions_.counter({project, limit}).add();
  }
  void set_waiting(const std::string& project, std::string_view priority, std::size_t count);
  void observe_commit(Micros duration) { commit_seconds_->observe(seconds(duration)); }

  // Before a scrape: the state of limit `id`, and of the ledger.
  void set_limit(quota::LimitId id, const quota::LimitView& view, double unit);
  void set_ledger(const ledger::Health& health);
  // Limits that do not run out have no such series: cleared, then set, for each scrape.
  void clear_exhaustions() { limit_exhaustion_.clear(); }
  void set_exhaustion(const std::string& project, const quota::LimitSpec& spec, WallTime at);

 private:
  struct LimitGauges {
    telemetry::Gauge *amount = nullptr, *used = nullptr, *held = nullptr, *reset = nullptr;
  };

  telemetry::Family& calls_;
  telemetry::Family& tokens_;
  telemetry::Family& cost_;
  telemetry::Family& admissions_;
  telemetry::Family& waits_;
  telemetry::Family& limit_amount_;
  telemetry::Family& limit_used_;
  telemetry::Family& limit_held_;
  telemetry::Family& limit_reset_;
  telemetry::Family& limit_exhaustion_;
  telemetry::Family& upstream_;
  telemetry::Family& over_admissions_;
  telemetry::Family& observations_;
  telemetry::Family& estimate_errors_;
  telemetry::Family& waiting_;
  telemetry::Family& commits_;
  telemetry::Family& backlog_;
  telemetry::Family& failures_;
  telemetry::Histogram* wait_;
  telemetry::Histogram* commit_seconds_;
  std::vector<LimitGauges> limits_;  // by LimitId
};

}  // namespace weir::admission
