// What a caller says happened to a call, and what follows from it. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "admission/open_calls.hpp"
#include "catalog/catalog.hpp"
#include "ledger/records.hpp"
#include "provider/error.hpp"
#include "provider/rate_limits.hpp"
#include "quota/book.hpp"

namespace weir::admission {

struct Settlement {
  int status = 200;  // upstream's
  std::optional<Usage> usage;
  Micros latency{-1};  // negative: not told
  std::optional<WallTime> sent_at;
  std::optional<provider::UpstreamError> error;
  std::vector<provider::RateLimit> rate_limits;  // of the answer's headers
  // The answer broke off, or never came, though the call was sent: `usage` is what had been told until then.
  bool partial = false;
};

// Equal for two settlements that say the same; used to tell a repetition from a contradiction.
std::uint64_t fingerprint(const Settlement& settlement);

// The last moment at which upstream can have counted the call: `sent_at` plus the guard, else the settlement
// itself.
SteadyTime latest_moment(const Settlement& settlement, SteadyTime admitted, Micros guard, const Now& now);

// What a settled call is charged in the end.
// With a usage: that. Without: requests stay charged whatever the status (failed calls count too); tokens
// stay at the estimate for 2xx and 4xx (upstream counts the tokens of a call that it refuses as too long) and
// are taken back for 5xx, which counts requests only; errors cost no money. Of a partial answer without usage
// nothing is known, so everything stays at the estimate.
Amounts charge_of(const Settlement& settlement, const Amounts& held, NanoUsd cost);

ledger::Outcome outcome_of(const Settlement& settlement, const OpenCall& call, const catalog::Price& price,
                           Micros guard, const Now& now);
// The lease ended: the call may have been sent, so it keeps its charge.
ledger::Outcome expiry_of(const OpenCall& call, Micros guard);
ledger::Outcome cancellation_of(const OpenCall& call, const Now& now);

// From the ledger's record to the arithmetic's.
quota::Span span_of(ledger::CallId id, std::int64_t skew_us, const ledger::Outcome& outcome);
// Whether recovery must find the call apart from its neighbours: its span, guard included, reaches over a
// quarter of an hour (so it may count in two days), or is longer than kLongSpan (so it may count in a window
// that began long after its admission).
bool straddles(const quota::Span& span, Micros guard);
inline constexpr Micros kLongSpan = std::chrono::seconds(60);

// What a closed call adds to the totals. A later outcome of the same call adds `totals_of(new) -
// totals_of(old)`.
ledger::Totals totals_of(const ledger::Outcome& outcome);
ledger::Totals operator-(const ledger::Totals& a, const ledger::Totals& b);

}  // namespace weir::admission
