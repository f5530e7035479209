#include "ledger/totals.hpp"

#include <algorithm>
#include <tuple>

namespace weir::ledger {
namespace {

auto minute_order(const TotalsDelta& d) {
  return std::tie(d.minute, d.key.project, d.key.model, d.key.consumer);
}
auto day_order(const TotalsDelta& d) {
  return std::tie(d.key.project, d.local_day, d.key.model, d.key.consumer);
}
auto both_order(const TotalsDelta& d) {
  return std::tie(d.minute, d.local_day, d.key.project, d.key.model, d.key.consumer);
}

}  // namespace

template <typename Less>
std::span<const TotalsDelta> TotalsFold::fold(std::span<const TotalsDelta> deltas, Less less) {
  order_.clear();
  folded_.clear();
  for (const TotalsDelta& delta : deltas) order_.push_back(&delta);
  std::sort(order_.begin(), order_.end(), [&](const auto* a, const auto* b) { return less(*a, *b); });
  for (const TotalsDelta* delta : order_) {
    if (folded_.empty() || less(folded_.back(), *delta)) {
      folded_.push_back(*delta);
    } else {
      folded_.back().totals += delta->totals;
    }
  }
  return folded_;
}

std::span<const TotalsDelta> TotalsFold::minutes(std::span<const TotalsDelta> deltas) {
  return fold(deltas, [](const auto& a, const auto& b) { return minute_order(a) < minute_order(b); });
}

std::span<const TotalsDelta> TotalsFold::days(std::span<const TotalsDelta> deltas) {
  return fold(deltas, [](const auto& a, const auto& b) { return day_order(a) < day_order(b); });
}

void compact(std::vector<TotalsDelta>& deltas) {
  std::sort(deltas.begin(), deltas.end(),
            [](const auto& a, const auto& b) { return both_order(a) < both_order(b); });
  std::size_t kept = 0;
  for (const TotalsDelta& delta : deltas) {
    if (kept > 0 && both_order(deltas[kept - 1]) == both_order(delta)) {
      deltas[kept - 1].totals += delta.totals;
    } else {
      deltas[kept] = delta;
      deltas[kept++].call = 0;
    }
  }
  deltas.resize(kept);
}

}  // namespace weir::ledger
