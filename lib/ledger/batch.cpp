#include "ledger/batch.hpp"

#include <algorithm>
#include <iterator>

namespace weir::ledger {
namespace {

template <typename T>
void move_to_end(std::vector<T>& to, std::vector<T>& from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
  from.clear();
}

}  // namespace

std::size_t Batch::records() const {
  return names.size() + admissions.size() + outcomes.size() + totals.size() + idempotency_keys.size() +
         observations.size() + corrections.size() + day_zones.size() + (anchor ? 1 : 0) +
         (oldest_open != 0 ? 1 : 0);
}

void Batch::clear() {
  names.clear();
  admissions.clear();
  outcomes.clear();
  totals.clear();
  idempotency_keys.clear();
  observations.clear();
  corrections.clear();
  day_zones.clear();
  anchor.reset();
  oldest_open = 0;
  waiters.clear();
  drained.clear();
  cuts.clear();
  sequence = 0;
  attempts = 0;
  refusal.calls.clear();
  refusal.totals.clear();
}

void Batch::refuse_admissions() {
  if (admissions.empty()) return;
  for (const Admission& admission : admissions) refusal.calls.push_back(admission.id);
  std::sort(refusal.calls.begin(), refusal.calls.end());
  admissions.clear();
  const auto refused = [this](CallId id) {
    return std::binary_search(refusal.calls.begin(), refusal.calls.end(), id);
  };
  std::erase_if(outcomes, [&](const Outcome& outcome) { return refused(outcome.id); });
  std::erase_if(idempotency_keys, [&](const IdempotencyKey& key) { return refused(key.call); });
  std::copy_if(totals.begin(), totals.end(), std::back_inserter(refusal.totals),
               [&](const TotalsDelta& delta) { return delta.call != 0 && refused(delta.call); });
  std::erase_if(totals, [&](const TotalsDelta& delta) { return delta.call != 0 && refused(delta.call); });
}

void Batch::absorb(Batch& later) {
  move_to_end(names, later.names);
  move_to_end(admissions, later.admissions);
  move_to_end(outcomes, later.outcomes);
  move_to_end(totals, later.totals);
  move_to_end(idempotency_keys, later.idempotency_keys);
  move_to_end(observations, later.observations);
  move_to_end(corrections, later.corrections);
  move_to_end(day_zones, later.day_zones);
  if (later.anchor) anchor = std::move(later.anchor);
  if (later.oldest_open != 0) oldest_open = later.oldest_open;
}

}  // namespace weir::ledger
