// What past days used of each limit, hour by hour, from the ledger's totals.
//
// The question is a value made on the loop thread, answered on any other: nothing here is read on the way to
// being ready. Bounded: kDays times 24 reads of an hour's totals, 24 sums a limit.
#pragma once

#include <utility>
#include <vector>

#include "admission/directory.hpp"
#include "ledger/reader.hpp"
#include "quota/forecast.hpp"

namespace weir::admission {

struct HistoryQuestion {
  static constexpr int kDays = 7;

  struct Limit {
    Metric metric;
    quota::Window window;
    std::int64_t amount;
    std::string time_zone;  // of a calendar window
    Zone zone;              // of its project
  };

  WallTime now;
  std::vector<Limit> limits;                                               // by LimitId
  std::vector<std::pair<ledger::Key, std::vector<quota::LimitId>>> lanes;  // whose use counts where
};

HistoryQuestion ask_history(Directory& directory, const quota::Book& book, const Now& now);

// By LimitId. Whole hours of the last kDays days; none from before the ledger's first call. Throws
// ledger::OpenError.
std::vector<quota::Habit> read_history(ledger::Reader& reader, const HistoryQuestion& question);

}  // namespace weir::admission
