// The calls that are admitted and not yet closed, and when their leases end.
//
// A slab of slots with three ways in: by id (hash), by admission order (for the ledger's recovery mark) and
// by the second in which the lease ends (a wheel). Every operation is O(1) and, once the slab has grown,
// allocates nothing. A call stays where it is until it is erased. Owned by the service.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "admission/directory.hpp"
#include "admission/waiting_line.hpp"
#include "ledger/records.hpp"

namespace weir::admission {

struct OpenCall {
  ledger::CallId id = 0;
  Lane* lane = nullptr;
  Amounts held;
  Micros skew{0};  // wall clock minus steady axis at the admission
  Micros lease{0};
  Micros waited{0};
  std::int32_t local_day = 0;
  bool explores = false;      // goes beyond a published limit
  Share share{};              // of a contended quota, as counted for its consumer
  std::int64_t estimate = 0;  // of its input tokens, before any correction; 0: the caller stated them
  bool uncertain = false;     // that rests on assumed figures
  bool kept = false;  // by the daemon itself, which will close it: its lease does not end while it runs

  [[nodiscard]] SteadyTime admitted() const { return SteadyTime(Micros(id)); }
  [[nodiscard]] SteadyTime lease_end() const { return admitted() + lease; }
  [[nodiscard]] WallTime admitted_wall() const { return WallTime(Micros(id) + skew); }
};

class OpenCalls {
 public:
  static constexpr Micros kMaxLease = std::chrono::seconds(3600);

  OpenCalls();
  void insert(const OpenCall& call);  // its id is greater than those of all open calls
  OpenCall* find(ledger::CallId id);
  void erase(ledger::CallId id);
  [[nodiscard]] std::size_t size() const { return by_id_.size(); }
  // The oldest open id; 0 if none is open.
  [[nodiscard]] ledger::CallId oldest() const;
  template <class Visit>
  void each(const Visit& visit) const {
    for (const auto& [id, index] : by_id_) visit(slots_[index].call);
  }
  template <class Change>
  void change_each(const Change& change) {
    for (const auto& [id, index] : by_id_) change(slots_[index].call);
  }
  // Appends the ids whose lease has ended by `now`, rounded up to whole seconds; kept calls are passed over.
  // So are, for a second, those after `decided`: their callers have no answer yet, and may get a refusal.
  void expired(SteadyTime now, ledger::CallId decided, std::vector<ledger::CallId>& ids);

 private:
  using Index = std::uint32_t;
  static constexpr Index kNone = ~Index{0};
  static constexpr std::size_t kWheel = 4096;  // seconds; longer than any lease

  struct Links {
    Index previous = kNone, next = kNone;
  };
  struct Slot {
    OpenCall call;
    Links age, due;
    std::uint32_t bucket = 0;
  };
  void link_due(Index index, std::int64_t second);
  void unlink_due(Index index);
  void unlink(Index index);

  std::deque<Slot> slots_;
  std::vector<Index> free_;
  boost::unordered_flat_map<ledger::CallId, Index> by_id_;
  Index oldest_ = kNone, newest_ = kNone;
  std::array<Index, kWheel> wheel_;
  std::vector<Index> again_;    // what a sweep passed over
  std::int64_t swept_to_ = -1;  // second up to which the wheel was swept; -1: not yet
};

}  // namespace weir::admission
