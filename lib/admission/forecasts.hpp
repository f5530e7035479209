// Each limit's pace and habit, kept for its forecast.
//
// Owned by the service; loop thread only. The way of an admission is not touched: the book counts what is
// taken, and that is looked at once a minute. Habits come from the ledger's totals, read beside the loop
// (admission/history.hpp).
#pragma once

#include <vector>

#include "admission/directory.hpp"
#include "quota/book.hpp"
#include "quota/forecast.hpp"
#include "quota/pace.hpp"

namespace weir::admission {

class Forecasts {
 public:
  Forecasts(const quota::Book& book, const Directory& directory) : book_(book), directory_(directory) {}

  // What was taken until now is not pace. Once, when the book is rebuilt.
  void begin(const Now& now);
  // The same for a book of other limits.
  void start_over(const Now& now);
  // As often as is convenient.
  void tick(const Now& now);
  // By limit; those that came since have none.
  void learn(std::vector<quota::Habit> habits) { habits_ = std::move(habits); }

  // `view`: of that limit, at `now`.
  [[nodiscard]] quota::Forecast forecast(quota::LimitId id, const quota::LimitView& view,
                                         const Now& now) const;

 private:
  // A limit that came into being after the start was not used before: its pace is known from the start.
  void add_new();

  const quota::Book& book_;
  const Directory& directory_;
  SteadyTime began_{};
  SteadyTime sampled_{};
  std::vector<quota::Pace> paces_;    // by LimitId
  std::vector<quota::Habit> habits_;  // by LimitId
};

}  // namespace weir::admission
