// What the ledger keeps, as values. Instants: a call's id is its admission on the steady axis in
// microseconds, unique and ascending; `skew` leads from the steady axis to the wall clock.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "quota/amounts.hpp"
#include "time/instant.hpp"

namespace weir::ledger {

using CallId = std::int64_t;
using NameId = std::int32_t;  // interned project, model or consumer name

enum class State : std::uint8_t { open = 0, settled = 1, expired = 2, cancelled = 3 };
std::string_view to_string(State state);

struct Key {  // whose use it is
  NameId project = 0;
  NameId model = 0;
  NameId consumer = 0;
  bool operator==(const Key&) const = default;
};

// Written when a call is admitted (or recorded without admission).
struct Admission {
  CallId id = 0;
  Key key;
  std::int64_t skew_us = 0;   // wall clock minus steady axis at admission
  std::int64_t lease_us = 0;  // how long it may stay open
  std::int64_t waited_us = 0;
  Amounts held;                // the estimate
  std::int32_t local_day = 0;  // of the admission, in the project's zone
  // Input tokens as estimated from the request's body, before any correction; 0: the caller stated them.
  std::int64_t estimate = 0;
  bool uncertain = false;  // that estimate rests on assumed figures
  bool operator==(const Admission&) const = default;
};

// Written when a call is closed; written again (replacing) by a late settlement of an expired one.
struct Outcome {
  CallId id = 0;
  State state = State::settled;
  std::int64_t span_us = 0;      // latest moment at which upstream can have counted it, minus admission
  std::int64_t settled_us = 0;   // wall clock of the settlement, minus wall clock of the admission
  std::int64_t latency_us = -1;  // as the caller measured it; -1: not told
  std::int32_t status = 0;       // upstream's HTTP status; 0: none (expired, cancelled)
  Usage usage;
  Amounts charged;         // what the limits count for it in the end
  NanoUsd cost = 0;        // of `usage`
  bool estimated = false;  // the usage or the charge is an estimate
  bool straddles = false;  // [admission - guard, latest + guard] touches more than one quarter of an hour
  std::uint64_t fingerprint = 0;  // of the settlement, to tell a repetition from a contradiction
  bool operator==(const Outcome&) const = default;
};

// An addition to the totals of (minute, key) and (local day, key): all fields are differences, negative ones
// correct.
struct Totals {
  std::int64_t calls = 0, errors = 0, denied = 0, expired = 0;
  Usage usage;
  NanoUsd cost = 0;
  Amounts charged{0, 0, 0, 0, 0};
  Totals& operator+=(const Totals& other);
  bool operator==(const Totals&) const = default;
};
Totals negative(const Totals& totals);  // what takes it back

struct TotalsDelta {
  std::int64_t minute = 0;     // of the admission's wall clock, since 1970
  std::int32_t local_day = 0;  // in the project's zone
  Key key;
  Totals totals;
  // The call that it belongs to, if its Admission is appended in the same loop turn (a call recorded after
  // the fact): when the failing disk refuses that admission, this goes with it. 0: kept in any case.
  CallId call = 0;
  bool operator==(const TotalsDelta&) const = default;
};

struct IdempotencyKey {
  std::uint64_t hash_high = 0, hash_low = 0;  // of the key's text
  std::uint64_t body_hash = 0;
  CallId call = 0;
  bool operator==(const IdempotencyKey&) const = default;
};  // Kept for a day of the steady axis, and at most 100,000 of them. Goes with its admission when that is
    // refused.

// What an upstream answer taught (docs/learning.md).
struct Observation {
  std::int64_t id = 0;
  NameId project = 0;
  std::string model;
  std::string limit;
  std::string kind;            // "exhausted", "amount" …: admission/observations.hpp
  std::int64_t amount = -1;    // -1: none
  std::int64_t elsewhere = 0;  // of `amount`, used by others
  WallTime until;
  WallTime probe_at{};  // from then on single calls may find out; the epoch: not before `until`
  WallTime seen_at;
  std::string evidence;  // at most 1000 bytes, no secrets
  bool operator==(const Observation&) const = default;
};

// How far the estimates of somebody's input were off, as settlements told; replaces what was kept before.
struct Correction {
  Key key;  // consumer 0: all consumers of the model
  bool uncertain = false;
  std::string ratios;  // the admission room's own text
  bool operator==(const Correction&) const = default;
};

// In which zone a project's local days are counted; replaces what was kept before.
struct DayZone {
  NameId project = 0;
  std::string zone;
  std::int64_t since_minute = 0;  // of the wall clock, since 1970; 0: always, as far as is known
  bool operator==(const DayZone&) const = default;
};

// A row of GET /v1/calls, and of the recovery.
struct Call {
  Admission admission;
  bool closed = false;
  Outcome outcome;  // if closed
  [[nodiscard]] WallTime admitted_at() const { return WallTime(Micros(admission.id + admission.skew_us)); }
  bool operator==(const Call&) const = default;
};

}  // namespace weir::ledger
