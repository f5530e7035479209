// All counters of all limits, and the one verb that decides and commits over all limits of a call.
//
// A value: no I/O, no clock, no threads; `now` is passed in. It is a fold over what the ledger holds, so a
// book rebuilt from the ledger equals the live one.
//
// A charge is live from the moment a call is admitted until one window after the last moment at which
// upstream can have counted it. An open call is *held*: it counts in every window. When it is closed its
// `latest` moment is known, and the charge ages from there. Worked example, 5 requests in 60 s, guard 0.25 s:
// five calls admitted at 0 s and settled at 2 s with sent_at 0.1 s count until 0.35 + 60 s (rounded up by at
// most 0.234 s); a sixth asked at 30 s is refused with retry_at 60.4 s.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "quota/calendar_window.hpp"
#include "quota/limit.hpp"
#include "quota/sliding_window.hpp"
#include "time/instant.hpp"

namespace weir::quota {

using LimitId = std::uint32_t;

// When a call was admitted, and the last moment at which upstream can have counted it (guard included).
struct Span {
  SteadyTime admitted;
  SteadyTime latest;
  Micros skew{0};  // wall clock minus steady axis at the admission

  [[nodiscard]] WallTime wall(SteadyTime at) const { return WallTime(at.time_since_epoch() + skew); }
};

struct Violation {
  LimitId limit = 0;
  std::int64_t requested = 0;
  std::int64_t used = 0;
  std::int64_t held = 0;
  bool never_fits = false;  // more than the limit's whole amount
  bool exhausted = false;   // upstream said so
  // What is held may make room at any moment: an open call ends, or turns out smaller than its estimate.
  bool may_free = false;
  SteadyTime retry_at;  // earliest feasible moment if what is held settles now; meaningless for never_fits
};

// A limit's state for people.
struct LimitView {
  std::int64_t amount = 0;
  std::int64_t used = 0;
  std::int64_t held = 0;
  std::int64_t remaining = 0;
  // The part of `used` that is not ours, by upstream's word; negative if it counts less than we do.
  std::int64_t used_elsewhere = 0;
  std::optional<WallTime> resets_at;
  std::optional<WallTime> exhausted_until;
  bool operator==(const LimitView&) const = default;
};

class Book {
 public:
  // `guard`: bound on clock difference and network jitter between us and upstream. The spec's zone must
  // exist.
  LimitId add(LimitSpec spec, Micros guard);
  [[nodiscard]] const LimitSpec& spec(LimitId id) const { return limits_[id].spec; }
  [[nodiscard]] Micros guard(LimitId id) const { return limits_[id].guard; }
  [[nodiscard]] std::size_t size() const { return limits_.size(); }

  // Holds `want` on all of `limits`, or on none: then `violations` (cleared first) says which had no room.
  // O(limits).
  bool try_admit(std::span<const LimitId> limits, const Amounts& want, const Now& now,
                 std::vector<Violation>& found);
  // The same question without the deed.
  void violations(std::span<const LimitId> limits, const Amounts& want, const Now& now,
                  std::vector<Violation>& found);
  // When `want` will have room on a limit, once `ahead` more of its metric has been admitted, what is held
  // settling now. Now, for limits on what is in flight: nobody knows when open calls end.
  SteadyTime room_at(LimitId id, const Amounts& want, std::int64_t ahead, const Now& now);
  // Holds without asking (recovery of open calls).
  void hold(std::span<const LimitId> limits, const Amounts& held);
  // The call was never sent: as if it had not been admitted.
  void release(std::span<const LimitId> limits, const Amounts& held);
  // An open call is closed: what was held becomes `actual`, ageing from span.latest.
  void settle(std::span<const LimitId> limits, const Amounts& held, const Amounts& actual, const Span& span,
              const Now& now);
  // Charges without asking, even beyond the limit; negative amounts take a charge of the same span back.
  void charge(std::span<const LimitId> limits, const Amounts& actual, const Span& span, const Now& now);

  // Upstream says that nothing is left: refuses until `until`. An earlier allow_probe() lets one call through
  // all the same, whatever is used; the call that goes takes it.
  void exhaust(LimitId id, WallTime until, const Now& now);
  void allow_probe(LimitId id) { limits_[id].probe = true; }
  void reopen(LimitId id);
  // Upstream says how much the limit really allows: that counts from now on, but never more than a limit
  // that the user wrote. nullopt: what was published or configured counts again.
  void observe_amount(LimitId id, std::optional<std::int64_t> amount);
  // Upstream counts `amount` more than we do, at `at`: others use the quota too. Charged like a call of that
  // moment, and told apart in the view.
  void charge_elsewhere(LimitId id, std::int64_t amount, const Span& at, const Now& now);
  void forget_elsewhere(LimitId id, const Now& now);
  // What `from` has in use and holds counts in `to` from now on: two names turned out to be one limit. Both
  // have the same window.
  void move(LimitId from, LimitId to, const Now& now);

  // Recovery: adds to the calendar limit's window that holds `within` what totals know of it; nothing for
  // other windows.
  void restore(LimitId id, WallTime within, std::int64_t amount, const Now& now);

  // Adds what `from`, a limit of another book with the same window, has counted of our own calls: without
  // what is held and what others used.
  void adopt(LimitId id, const Book& other, LimitId from, const Now& now);

  [[nodiscard]] LimitView view(LimitId id, const Now& now);
  // All that our calls ever took of a limit, what is held included: only differences mean something. A call
  // that is recorded long after it was made is left out, so that this grows as calls are made.
  [[nodiscard]] std::int64_t taken(LimitId id) const { return limits_[id].taken; }

 private:
  struct InFlight {};
  using Counter = std::variant<SlidingWindow, CalendarWindow, InFlight>;
  struct Limit {
    LimitSpec spec;
    Micros guard;
    std::int64_t held = 0;
    std::int64_t taken = 0;
    Counter window;
    std::int64_t given_amount = 0;  // spec.amount and spec.source, were it not for an observation
    Source given_source = Source::config;
    bool probe = false;                          // one call may pass although the limit is exhausted
    std::optional<Counter> elsewhere;            // the part of `window` that is not ours
    std::optional<WallTime> exhausted_wall;      // calendar limits: days are on the wall clock
    std::optional<SteadyTime> exhausted_steady;  // sliding ones: a clock step neither frees nor locks
  };

  // What is in use at `now`, the open calls apart; advances the window.
  static std::int64_t used_now(Limit& limit, const Now& now);
  static bool is_exhausted(Limit& limit, const Now& now);
  // When `wanted` more fits, provided that it is at most the limit's amount.
  static SteadyTime earliest(Limit& limit, std::int64_t wanted, const Now& now);
  static void add_charge(Counter& window, Micros guard, std::int64_t amount, const Span& span,
                         const Now& now);
  static Counter emptied(const Counter& window);
  // Adds (sign 1) or takes back (-1) what `from`, of the same window, has in use. Both are advanced.
  static void combine(Counter& into, const Counter& from, int sign);

  std::vector<Limit> limits_;
};

}  // namespace weir::quota
