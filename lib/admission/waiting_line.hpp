// Calls that wait for room, first come first served. Owned by the service; loop thread only; bounded.
//
// Only a call that shares a limit with an earlier one that lacks room there stands behind it: calls for other
// models pass. The line holds no timers: the service asks it when something was freed, and when next_event()
// is due.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <vector>

#include "admission/directory.hpp"
#include "quota/book.hpp"

namespace weir::admission {

struct Answer;

struct WaitingCall {
  std::uint64_t ticket = 0;
  const Route* route = nullptr;
  Amounts want;
  Priority priority = Priority::normal;
  Micros lease{0};
  SteadyTime since;
  SteadyTime deadline;  // its patience
  SteadyTime retry_at;  // earliest feasible moment as of the last try
  std::function<void(const Answer&)> done;
};

class WaitingLine {
 public:
  explicit WaitingLine(std::size_t capacity) : capacity_(capacity) {}

  [[nodiscard]] bool empty() const { return calls_.empty(); }
  [[nodiscard]] std::size_t size() const { return calls_.size(); }
  [[nodiscard]] bool full() const { return calls_.size() >= capacity_; }
  std::uint64_t push(WaitingCall call);  // returns its ticket
  // False if it is not in line (any more).
  bool remove(std::uint64_t ticket);
  [[nodiscard]] std::list<WaitingCall>& calls() { return calls_; }  // in the order of their tickets
  // The first call with that ticket or a later one; nullptr if there is none.
  WaitingCall* at_or_after(std::uint64_t ticket);

  // Limits on which somebody in line lacks room: begin_round() forgets them, block() adds, blocks() asks.
  void begin_round() { ++round_; }
  void block(quota::LimitId limit);
  [[nodiscard]] bool blocks(const std::vector<quota::LimitId>& limits) const;

  // When the first deadline or feasible moment comes; nullopt if nobody waits.
  [[nodiscard]] std::optional<SteadyTime> next_event() const;

 private:
  std::size_t capacity_;
  std::list<WaitingCall> calls_;
  std::uint64_t last_ticket_ = 0;
  std::vector<std::uint64_t> blocked_in_round_;  // by LimitId
  std::uint64_t round_ = 1;
};

}  // namespace weir::admission
