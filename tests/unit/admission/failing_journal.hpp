// A ledger that fails when told to, and refuses what it is told to: as one with OnFailure::deny, without disk
// and threads.
#pragma once

#include <functional>
#include <limits>
#include <utility>
#include <vector>

#include "ledger/null_journal.hpp"

namespace weir::admission {

class FailingJournal final : public ledger::NullJournal {
 public:
  [[nodiscard]] ledger::Commit admission_outlook() const override {
    return failing ? ledger::Commit::failed : ledger::Commit::durable;
  }
  void on_refused(std::function<void(const std::vector<ledger::CallId>&)> callback) override {
    refuse = std::move(callback);
  }

  [[nodiscard]] ledger::CallId decided_up_to() const override { return decided; }

  bool failing = false;
  ledger::CallId decided = std::numeric_limits<ledger::CallId>::max();
  std::function<void(const std::vector<ledger::CallId>&)> refuse;  // these admissions are not written
};

}  // namespace weir::admission
