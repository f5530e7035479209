// What came of a simulation, as totals; memory does not grow with the trace.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "quota/book.hpp"
#include "time/instant.hpp"

#include "simulation/engine.hpp"

namespace weir::simulation {

// Durations, counted in steps of at most 1/64 of their length: quantiles are that exact, the longest is
// exact.
class Durations {
 public:
  void add(Micros duration);
  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] Micros longest() const { return longest_; }
  // The shortest step's end that at least `share` of them do not pass; 0 if there are none.
  [[nodiscard]] Micros quantile(double share) const;

 private:
  static constexpr int kStepBits = 6;
  static std::size_t step_of(std::int64_t us);
  static std::int64_t end_of(std::size_t step);

  std::array<std::int64_t, 64 << kStepBits> steps_{};
  std::int64_t count_ = 0;
  Micros longest_{0};
};

// One limit, over the whole run.
struct LimitUse {
  std::string project;
  quota::LimitSpec spec;
  std::int64_t denied = 0, timed_out = 0;  // calls that it refused (the first of those without room)
  std::int64_t charged = 0;                // to admitted calls
  std::int64_t fullest = 0;                // the most that was used and held at an admission
  // Windows that the run touched, begun ones included; 0 for in-flight limits, which have none.
  std::int64_t windows = 0;
  std::int64_t refused_upstream = 0;  // by the modelled provider

  // Of what all these windows allow; at most 1 unless the limit is not enforced.
  [[nodiscard]] double share() const;
};

class Summary {
 public:
  // Each decision, when it falls.
  void add(const Decided& decided, Engine& engine);

  [[nodiscard]] std::int64_t arrivals() const { return admitted_ + denied_ + timed_out_; }
  [[nodiscard]] std::int64_t admitted() const { return admitted_; }
  [[nodiscard]] std::int64_t denied() const { return denied_; }
  [[nodiscard]] std::int64_t timed_out() const { return timed_out_; }
  // Of those denied or timed out: asked for more than a limit's whole amount; met room that others wait for.
  // Of those denied: by queue.max_waiting; by queue.max_open.
  [[nodiscard]] std::int64_t never_fit() const { return never_fit_; }
  [[nodiscard]] std::int64_t others_first() const { return others_first_; }
  [[nodiscard]] std::int64_t line_full() const { return line_full_; }
  [[nodiscard]] std::int64_t too_many_open() const { return too_many_open_; }
  // Of the admitted calls that waited.
  [[nodiscard]] const Durations& waits() const { return waits_; }
  // First arrival and last decision, since the start.
  [[nodiscard]] Micros began() const { return began_; }
  [[nodiscard]] Micros ended() const { return ended_; }
  // The limits that were charged or refused a call, by project and name.
  [[nodiscard]] std::vector<LimitUse> limits(Engine& engine) const;

 private:
  struct Use {
    std::int64_t denied = 0, timed_out = 0, charged = 0, fullest = 0;
  };
  Use& use(quota::LimitId id);

  std::int64_t admitted_ = 0, denied_ = 0, timed_out_ = 0;
  std::int64_t never_fit_ = 0, others_first_ = 0, line_full_ = 0, too_many_open_ = 0;
  Durations waits_;
  Micros began_{-1}, ended_{0};
  std::vector<Use> uses_;  // by LimitId
};

}  // namespace weir::simulation
