// Random programs that call a random provider through a book, and what the provider counted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace weir::property {

// Faults that a limiter may have, to show that the recorders would find them.
enum class Fault {
  none,
  ages_from_admission,     // not from the last moment at which the provider can have counted
  half_window,             // windows are shorter than the provider's
  no_guard,                // the network's jitter is forgotten
  gave_up_without_guard,   // a caller that gave up before the answer: charged as if it had been counted by
                           // then
  expiry_forgets,          // an expired call frees what it held
  charges_at_settlement,   // nothing is held while the call is open
  midnight_without_guard,  // clocks agree at midnight
  days_in_utc,             // whatever the provider's zone
  pool_apart,              // each model has the pool's limit for itself
};

struct Outcome {
  std::int64_t asked = 0;
  std::int64_t admitted = 0;
  std::int64_t counted = 0;           // by the provider, in calls
  std::optional<std::string> excess;  // the first one: limit, recorder, moment
};

// A world of its own from one seed: limits, callers, clocks; `calls` admissions are asked for.
Outcome run_traffic(std::uint64_t seed, std::int64_t calls, Fault fault = Fault::none);

}  // namespace weir::property
