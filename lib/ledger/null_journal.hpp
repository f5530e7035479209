// A journal that remembers names and forgets the rest: for the service in virtual time, which nobody asks
// afterwards what happened. Never fails, so it calls nobody back.
#pragma once

#include <deque>
#include <limits>
#include <string>
#include <unordered_map>

#include "ledger/journal.hpp"

namespace weir::ledger {

class NullJournal : public Journal {
 public:
  NameId intern(std::string_view name) override {
    if (const auto found = ids_.find(name); found != ids_.end()) return found->second;
    const std::string& kept = names_.emplace_back(name);
    return ids_.emplace(kept, static_cast<NameId>(names_.size())).first->second;
  }
  [[nodiscard]] std::string_view name(NameId id) const override {
    if (id < 1 || static_cast<std::size_t>(id) > names_.size()) return {};
    return names_[static_cast<std::size_t>(id) - 1];
  }

  void append(const Admission& /*record*/) override {}
  void append(const Outcome& /*record*/) override {}
  void append(const TotalsDelta& /*delta*/) override {}
  void append(Observation /*record*/) override {}
  void forget_observation(std::int64_t /*id*/) override {}
  void append(Correction /*record*/) override {}
  void append(DayZone /*record*/) override {}
  void store_oldest_open(CallId /*id*/) override {}
  void flush() override {}

  [[nodiscard]] Commit admission_outlook() const override { return Commit::durable; }
  [[nodiscard]] CallId decided_up_to() const override { return std::numeric_limits<CallId>::max(); }
  void on_refused(std::function<void(const std::vector<CallId>&)> /*callback*/) override {}
  void on_commit(std::function<void(Micros, std::size_t)> /*callback*/) override {}
  [[nodiscard]] Health health() const override { return {}; }

 private:
  std::deque<std::string> names_;  // [id - 1]; a deque, because views of its strings are the keys below
  std::unordered_map<std::string_view, NameId> ids_;
};

}  // namespace weir::ledger
