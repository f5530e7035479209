// What upstream's answers taught (section 5 of the contract): so far, that a limit is exhausted and until
// when. Durable: each is also in the ledger. Bounded; loop thread only.
#pragma once

#include <cstdint>
#include <vector>

#include "admission/directory.hpp"
#include "ledger/journal.hpp"
#include "provider/error.hpp"
#include "quota/book.hpp"

namespace weir::admission {

class Observations {
 public:
  static constexpr std::size_t kMax = 1000;  // the oldest goes first

  Observations(quota::Book& book, ledger::Journal& ledger, Metrics& metrics)
      : book_(book), ledger_(ledger), metrics_(metrics) {}

  // An answer that refused a call of `lane`: every limit that it names by a quota id is exhausted. A day's
  // until the day ends, whatever the hint says; a minute's until a whole window has passed, or longer if the
  // hint is.
  void learn(Lane& lane, const provider::UpstreamError& error, const Now& now);
  void restore(const std::vector<ledger::Observation>& known, Directory& directory, const Now& now);
  // False if there is none of that id.
  bool forget(std::int64_t id);
  void drop_ended(const Now& now);
  [[nodiscard]] const std::vector<ledger::Observation>& all() const { return all_; }

 private:
  // The limit of `lane` that a violation means; nullptr if it has none such.
  const quota::LimitId* limit_of(const Lane& lane, const provider::QuotaViolation& violation) const;
  void drop(std::size_t index);

  quota::Book& book_;
  ledger::Journal& ledger_;
  Metrics& metrics_;
  std::vector<ledger::Observation> all_;  // oldest first
  std::vector<quota::LimitId> limits_;    // of each
};

}  // namespace weir::admission
