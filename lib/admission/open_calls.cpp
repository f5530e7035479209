#include "admission/open_calls.hpp"

#include <algorithm>

namespace weir::admission {
namespace {

// The first whole second at or after `at`.
std::int64_t second_up(SteadyTime at) {
  return (at.time_since_epoch().count() + 999'999) / 1'000'000;
}
// What a sweep passed over is looked at again after that.
constexpr std::int64_t kKeptInterval_s = 600;
constexpr std::int64_t kUndecidedInterval_s = 1;

std::int64_t second_down(SteadyTime at) {
  return at.time_since_epoch().count() / 1'000'000;
}

}  // namespace

OpenCalls::OpenCalls() {
  wheel_.fill(kNone);
}

void OpenCalls::insert(const OpenCall& call) {
  Index index;
  if (free_.empty()) {
    index = static_cast<Index>(slots_.size());
    slots_.emplace_back();
  } else {
    index = free_.back();
    free_.pop_back();
  }
  Slot& slot = slots_[index];
  slot = Slot{.call = call, .age = {newest_, kNone}, .due = {}};
  if (newest_ == kNone) {
    oldest_ = index;
  } else {
    slots_[newest_].age.next = index;
  }
  newest_ = index;

  // A lease that ended before the last sweep (recovery after a long stop) is due at the next one.
  link_due(index, std::max(second_up(call.lease_end()), swept_to_ + 1));
  by_id_.emplace(call.id, index);
}

void OpenCalls::link_due(Index index, std::int64_t second) {
  Slot& slot = slots_[index];
  slot.bucket = static_cast<std::uint32_t>(second % static_cast<std::int64_t>(kWheel));
  slot.due = {kNone, wheel_[slot.bucket]};
  if (slot.due.next != kNone) slots_[slot.due.next].due.previous = index;
  wheel_[slot.bucket] = index;
}

OpenCall* OpenCalls::find(ledger::CallId id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &slots_[found->second].call;
}

void OpenCalls::erase(ledger::CallId id) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return;
  const Index index = found->second;
  by_id_.erase(found);
  unlink(index);
  free_.push_back(index);
}

void OpenCalls::unlink(Index index) {
  const Slot& slot = slots_[index];
  (slot.age.previous == kNone ? oldest_ : slots_[slot.age.previous].age.next) = slot.age.next;
  (slot.age.next == kNone ? newest_ : slots_[slot.age.next].age.previous) = slot.age.previous;
  unlink_due(index);
}

void OpenCalls::unlink_due(Index index) {
  const Slot& slot = slots_[index];
  (slot.due.previous == kNone ? wheel_[slot.bucket] : slots_[slot.due.previous].due.next) = slot.due.next;
  if (slot.due.next != kNone) slots_[slot.due.next].due.previous = slot.due.previous;
}

ledger::CallId OpenCalls::oldest() const {
  return oldest_ == kNone ? 0 : slots_[oldest_].call.id;
}

void OpenCalls::expired(SteadyTime now, ledger::CallId decided, std::vector<ledger::CallId>& ids) {
  const std::int64_t to = second_down(now);
  if (to <= swept_to_) return;
  // After a long suspend one turn of the wheel passes every bucket.
  const std::int64_t from = std::max(swept_to_ + 1, to - static_cast<std::int64_t>(kWheel) + 1);
  for (std::int64_t second = from; second <= to; ++second) {
    for (Index i = wheel_[static_cast<std::size_t>(second % static_cast<std::int64_t>(kWheel))]; i != kNone;
         i = slots_[i].due.next) {
      const OpenCall& call = slots_[i].call;
      if (second_up(call.lease_end()) > to) continue;
      if (call.kept || call.id > decided) {
        again_.push_back(i);
      } else {
        ids.push_back(call.id);
      }
    }
  }
  for (const Index i : again_) {
    unlink_due(i);
    link_due(i, to + (slots_[i].call.kept ? kKeptInterval_s : kUndecidedInterval_s));
  }
  again_.clear();
  swept_to_ = to;
  std::sort(ids.begin(), ids.end());  // closed in the order of their admission
}

}  // namespace weir::admission
