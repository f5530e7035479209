// Adds up the totals of a batch per key, so that a key costs one write however many calls it had.
#pragma once

#include <span>
#include <vector>

#include "ledger/records.hpp"

namespace weir::ledger {

// Keeps its buffers between uses. One thread.
class TotalsFold {
 public:
  // One entry per (minute, key), in the order of the table of minutes; local_day is that of its first delta.
  std::span<const TotalsDelta> minutes(std::span<const TotalsDelta> deltas);
  // One entry per (project, local day, model, consumer), in the order of the table of days; minute is
  // meaningless.
  std::span<const TotalsDelta> days(std::span<const TotalsDelta> deltas);

 private:
  template <typename Less>
  std::span<const TotalsDelta> fold(std::span<const TotalsDelta> deltas, Less less);

  std::vector<const TotalsDelta*> order_;
  std::vector<TotalsDelta> folded_;  // valid until the next call
};

// Replaces `deltas` by one per (minute, local day, key): the same sum in less memory. Their `call` is
// forgotten.
void compact(std::vector<TotalsDelta>& deltas);

}  // namespace weir::ledger
