// The records of one transaction, and those who wait for it.
//
// Filled by the loop thread, then handed to the writer and back; owned by one of them at a time. Records of
// different kinds need no order among themselves: they go to different tables, and totals add up.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ledger/ledger.hpp"

namespace weir::ledger {

struct ObservationChange {
  bool forget = false;  // else keep, replacing one of the same id
  Observation observation;
};

// What a batch leaves undone when the failing disk refuses its admissions. Kept because a COMMIT that failed
// may have taken place all the same: then it has to be undone.
struct Refusal {
  std::vector<CallId> calls;        // sorted
  std::vector<TotalsDelta> totals;  // that went with them
};

// Who wants to read the file as it is when this batch is in it, and nothing later: Ledger::cut().
struct Cut {
  std::function<void()> begin;
  std::function<void(bool)> state;
};

struct Batch {
  std::vector<std::pair<NameId, std::string>> names;
  std::vector<Admission> admissions;
  std::vector<Outcome> outcomes;
  std::vector<TotalsDelta> totals;
  std::vector<IdempotencyKey> idempotency_keys;
  std::vector<ObservationChange> observations;
  std::vector<Correction> corrections;
  std::vector<DayZone> day_zones;
  std::optional<Anchor> anchor;
  CallId oldest_open = 0;  // 0: unchanged

  std::vector<std::shared_ptr<Waiter>> waiters;
  std::vector<std::function<void()>> drained;  // callers of Ledger::drain
  std::vector<Cut> cuts;

  // Ascends by 2; set when it is first handed over. The number above it says: written without what was
  // refused.
  std::int64_t sequence = 0;
  int attempts = 0;  // that failed
  Refusal refusal;

  [[nodiscard]] std::size_t records() const;
  // Not one that was refused; 0: none.
  [[nodiscard]] CallId newest_admission() const { return admissions.empty() ? 0 : admissions.back().id; }
  [[nodiscard]] bool empty() const {
    return records() == 0 && waiters.empty() && drained.empty() && cuts.empty();
  }
  void clear();  // keeps its memory, for the next use

  // Takes out all admissions and what goes with them, into `refusal`.
  void refuse_admissions();
  // Appends the records of `later`; not its waiters.
  void absorb(Batch& later);
};

}  // namespace weir::ledger
