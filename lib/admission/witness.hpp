// Hears what the service did, as it does it; a live view has one. Nothing may depend on what it hears: while
// nobody looks there is none, and that costs the service one branch a call.
#pragma once

#include "admission/directory.hpp"
#include "ledger/records.hpp"

namespace weir::admission {

struct Answer;
struct OpenCall;

// Loop thread. What it is told is appended to the ledger and not yet committed. It must not call the service.
class Witness {
 public:
  virtual ~Witness() = default;
  virtual void admitted(const OpenCall& call) = 0;
  // Settled, expired or cancelled; again, if a late settlement corrects it.
  virtual void closed(const Lane& lane, const ledger::Call& call) = 0;
  // Any verdict but `admitted` and `waiting`; the answer's lane is set. `now`: of the decision.
  virtual void refused(const Answer& answer, const Now& now) = 0;
};

}  // namespace weir::admission
