// Reads the machine's clocks, and nothing else does. The steady axis is CLOCK_BOOTTIME, which counts through
// suspend and is never set, moved to where the wall clock was when it was first used in this boot of the
// kernel; the ledger keeps that offset, so a restart goes on with the same axis even if the wall clock was
// set in between.
#pragma once

#include <string>

#include "ledger/ledger.hpp"
#include "time/instant.hpp"

namespace weir::daemon {

class Clock {
 public:
  // `stored`: the anchor of an earlier run; `last_id`: the newest call in the ledger. The axis never goes
  // back behind it.
  Clock(const ledger::Anchor& stored, ledger::CallId last_id);

  [[nodiscard]] Now now() const;
  [[nodiscard]] const ledger::Anchor& anchor() const { return anchor_; }

 private:
  ledger::Anchor anchor_;
};

}  // namespace weir::daemon
