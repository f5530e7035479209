#include "quota/book.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace weir::quota {
namespace {

// Open calls end when their callers say so: an in-flight limit has no time of its own.
constexpr Micros kAskInFlightAgain = std::chrono::seconds(1);

// What was sent longer ago than any lease lasts is history, not pace.
constexpr Micros kOfNow = std::chrono::hours(2);

// What a call takes at the least. Nobody calls a model with no tokens, or for nothing: a caller that did not
// estimate still finds no room where none is left.
std::int64_t least_use(Metric metric, const Amounts& want) {
  const std::int64_t wanted = want.of(metric);
  const bool unsaid = metric == Metric::input_tokens || metric == Metric::output_tokens ||
                      metric == Metric::total_tokens || metric == Metric::cost_usd;
  return unsaid && wanted == 0 ? 1 : wanted;
}

}  // namespace

LimitId Book::add(LimitSpec spec, Micros guard) {
  Limit limit{.spec = std::move(spec),
              .guard = guard,
              .window = InFlight{},
              .elsewhere = {},
              .exhausted_wall = {},
              .exhausted_steady = {}};
  limit.given_amount = limit.spec.amount;
  limit.given_source = limit.spec.source;
  if (limit.spec.window.kind == WindowKind::sliding) {
    limit.window = SlidingWindow(limit.spec.window.length);
  } else if (const auto unit = calendar_unit(limit.spec.window.kind)) {
    const auto zone = Zone::find(limit.spec.time_zone);
    if (!zone) throw std::invalid_argument("unknown time zone " + limit.spec.time_zone);
    limit.window = CalendarWindow(*zone, *unit);
  }
  limits_.push_back(std::move(limit));
  return static_cast<LimitId>(limits_.size() - 1);
}

std::int64_t Book::used_now(Limit& limit, const Now& now) {
  if (auto* sliding = std::get_if<SlidingWindow>(&limit.window)) {
    sliding->advance(now.steady);
    return sliding->used();
  }
  if (auto* calendar = std::get_if<CalendarWindow>(&limit.window)) {
    calendar->advance(now.wall);
    // Just after midnight upstream may still count into the day before.
    return calendar->used(now.wall - limit.guard, now.wall);
  }
  return 0;
}

bool Book::is_exhausted(Limit& limit, const Now& now) {
  if (limit.exhausted_wall && now.wall >= *limit.exhausted_wall) limit.exhausted_wall.reset();
  if (limit.exhausted_steady && now.steady >= *limit.exhausted_steady) limit.exhausted_steady.reset();
  return limit.exhausted_wall || limit.exhausted_steady;
}

SteadyTime Book::earliest(Limit& limit, std::int64_t wanted, const Now& now) {
  SteadyTime at = now.steady;
  if (auto* sliding = std::get_if<SlidingWindow>(&limit.window)) {
    const std::int64_t must_leave = sliding->used() + limit.held + wanted - limit.spec.amount;
    if (must_leave > 0) {
      // What is held ages from its settlement, which is now at the earliest.
      at = sliding->freed(must_leave).value_or(now.steady + limit.guard + sliding->length());
    }
  } else if (auto* calendar = std::get_if<CalendarWindow>(&limit.window)) {
    if (used_now(limit, now) + limit.held + wanted > limit.spec.amount) {
      const bool only_before = calendar->used() + limit.held + wanted <= limit.spec.amount;
      WallTime opens = only_before ? calendar->current().begin : calendar->current().end;
      if (!only_before && calendar->used(opens, opens) + wanted > limit.spec.amount &&
          wanted <= limit.spec.amount) {
        // Calls of the last moments before midnight count on both sides of it, and have filled the next
        // window too.
        opens = calendar->zone().interval(calendar->unit(), opens).end;
      }
      at = now.steady_at(opens + limit.guard);
    }
  } else if (limit.held + wanted > limit.spec.amount) {
    at = now.steady + kAskInFlightAgain;
  }
  if (limit.exhausted_wall) at = std::max(at, now.steady_at(*limit.exhausted_wall));
  if (limit.exhausted_steady) at = std::max(at, *limit.exhausted_steady);
  return at;
}

SteadyTime Book::room_at(LimitId id, const Amounts& want, std::int64_t ahead, const Now& now) {
  Limit& limit = limits_[id];
  const std::int64_t wanted = least_use(limit.spec.metric, want);
  if (!limit.spec.enforce || limit.spec.amount <= 0 || wanted == 0) return now.steady;
  if (std::holds_alternative<InFlight>(limit.window)) return now.steady;
  used_now(limit, now);
  is_exhausted(limit, now);
  // Everybody's wants in a row: a whole window goes by for each `amount` of them.
  const std::int64_t in_all = wanted + std::max<std::int64_t>(0, ahead);
  const std::int64_t windows = (in_all - 1) / limit.spec.amount;
  const SteadyTime first = earliest(limit, in_all - windows * limit.spec.amount, now);
  if (const auto* sliding = std::get_if<SlidingWindow>(&limit.window)) {
    return first + windows * (sliding->length() + limit.guard);
  }
  const WallInterval& current = std::get<CalendarWindow>(limit.window).current();
  return first + windows * (current.end - current.begin);
}

bool Book::try_admit(std::span<const LimitId> limits, const Amounts& want, const Now& now,
                     std::vector<Violation>& refused_by) {
  violations(limits, want, now, refused_by);
  if (!refused_by.empty()) return false;
  hold(limits, want);
  return true;
}

void Book::violations(std::span<const LimitId> limits, const Amounts& want, const Now& now,
                      std::vector<Violation>& found) {
  found.clear();
  for (const LimitId id : limits) {
    Limit& limit = limits_[id];
    if (!limit.spec.enforce) continue;
    const std::int64_t wanted = least_use(limit.spec.metric, want);
    if (wanted == 0) continue;  // takes nothing here: a limit on images does not concern a call for text
    const std::int64_t used = used_now(limit, now);
    const bool exhausted = is_exhausted(limit, now);
    if (exhausted && limit.probe) continue;
    if (!exhausted && used + limit.held + wanted <= limit.spec.amount) continue;
    found.push_back({.limit = id,
                     .requested = wanted,
                     .used = used,
                     .held = limit.held,
                     .never_fits = wanted > limit.spec.amount,
                     .exhausted = exhausted,
                     .may_free = !exhausted && limit.held > 0 && used + wanted <= limit.spec.amount &&
                                 limit.spec.metric != Metric::requests,
                     .retry_at = earliest(limit, wanted, now)});
  }
}

void Book::hold(std::span<const LimitId> limits, const Amounts& held) {
  for (const LimitId id : limits) {
    Limit& limit = limits_[id];
    const std::int64_t amount = held.of(limit.spec.metric);
    limit.held += amount;
    limit.taken += amount;
    limit.probe = false;
  }
}

void Book::release(std::span<const LimitId> limits, const Amounts& held) {
  for (const LimitId id : limits) {
    Limit& limit = limits_[id];
    const std::int64_t amount = held.of(limit.spec.metric);
    limit.held -= amount;
    limit.taken -= amount;
  }
}

void Book::settle(std::span<const LimitId> limits, const Amounts& held, const Amounts& actual,
                  const Span& span, const Now& now) {
  release(limits, held);
  charge(limits, actual, span, now);
}

void Book::charge(std::span<const LimitId> limits, const Amounts& actual, const Span& span, const Now& now) {
  for (const LimitId id : limits) {
    Limit& limit = limits_[id];
    const std::int64_t amount = actual.of(limit.spec.metric);
    if (span.latest > now.steady - kOfNow) limit.taken += amount;
    add_charge(limit.window, limit.guard, amount, span, now);
  }
}

void Book::add_charge(Counter& window, Micros guard, std::int64_t amount, const Span& span, const Now& now) {
  if (amount == 0) return;
  if (auto* sliding = std::get_if<SlidingWindow>(&window)) {
    sliding->advance(now.steady);
    sliding->add(span.latest, amount);
  } else if (auto* calendar = std::get_if<CalendarWindow>(&window)) {
    calendar->advance(now.wall);
    // A call recorded afterwards has a latest moment before its record: then the day is that of the call
    // alone.
    const SteadyTime to = std::max(span.admitted, span.latest);
    calendar->add(span.wall(span.admitted) - guard, span.wall(to) + guard, amount);
  }
}

void Book::exhaust(LimitId id, WallTime until, const Now& now) {
  Limit& limit = limits_[id];
  limit.probe = false;
  if (std::holds_alternative<CalendarWindow>(limit.window)) {
    limit.exhausted_wall = until;
  } else {
    limit.exhausted_steady = now.steady_at(until);
  }
}

void Book::reopen(LimitId id) {
  limits_[id].probe = false;
  limits_[id].exhausted_wall.reset();
  limits_[id].exhausted_steady.reset();
}

void Book::observe_amount(LimitId id, std::optional<std::int64_t> amount) {
  Limit& limit = limits_[id];
  const bool counts = amount && (limit.given_source != Source::config || *amount < limit.given_amount);
  limit.spec.amount = counts ? *amount : limit.given_amount;
  limit.spec.source = counts ? Source::observed : limit.given_source;
  if (limit.given_source == Source::observed) {
    // Known by upstream's word alone: without that it is a gate, which counts nothing.
    limit.spec.gate = !amount;
    if (!amount) limit.spec.amount = kNoAmount;
  }
}

void Book::charge_elsewhere(LimitId id, std::int64_t amount, const Span& at, const Now& now) {
  Limit& limit = limits_[id];
  if (!limit.elsewhere) limit.elsewhere = emptied(limit.window);
  add_charge(limit.window, limit.guard, amount, at, now);
  add_charge(*limit.elsewhere, limit.guard, amount, at, now);
}

void Book::forget_elsewhere(LimitId id, const Now& now) {
  Limit& limit = limits_[id];
  used_now(limit, now);
  if (limit.elsewhere) combine(limit.window, *limit.elsewhere, -1);
  limit.elsewhere.reset();
}

void Book::move(LimitId from, LimitId to, const Now& now) {
  used_now(limits_[from], now);
  used_now(limits_[to], now);
  combine(limits_[to].window, limits_[from].window, 1);
  limits_[from].window = emptied(limits_[from].window);
  const std::int64_t held = std::exchange(limits_[from].held, 0);
  limits_[to].held += held;
  // What is held is taken back there one day.
  limits_[to].taken += held;
  limits_[from].taken -= held;
}

void Book::adopt(LimitId id, const Book& other, LimitId from, const Now& now) {
  const Limit& source = other.limits_[from];
  used_now(limits_[id], now);
  combine(limits_[id].window, source.window, 1);
  if (source.elsewhere) combine(limits_[id].window, *source.elsewhere, -1);
}

Book::Counter Book::emptied(const Counter& window) {
  if (const auto* sliding = std::get_if<SlidingWindow>(&window)) return SlidingWindow(sliding->length());
  if (const auto* calendar = std::get_if<CalendarWindow>(&window)) {
    return CalendarWindow(calendar->zone(), calendar->unit());
  }
  return InFlight{};
}

void Book::combine(Counter& into, const Counter& from, int sign) {
  if (auto* sliding = std::get_if<SlidingWindow>(&into)) {
    sliding->add(std::get<SlidingWindow>(from), sign);
  } else if (auto* calendar = std::get_if<CalendarWindow>(&into)) {
    calendar->add(std::get<CalendarWindow>(from), sign);
  }
}

void Book::restore(LimitId id, WallTime within, std::int64_t amount, const Now& now) {
  if (auto* calendar = std::get_if<CalendarWindow>(&limits_[id].window)) {
    calendar->advance(now.wall);
    calendar->add(within, within, amount);
  }
}

LimitView Book::view(LimitId id, const Now& now) {
  Limit& limit = limits_[id];
  LimitView view{.amount = limit.spec.amount, .held = limit.held, .resets_at = {}, .exhausted_until = {}};
  used_now(limit, now);
  if (limit.elsewhere) {
    if (auto* sliding = std::get_if<SlidingWindow>(&*limit.elsewhere)) {
      sliding->advance(now.steady);
      view.used_elsewhere = sliding->used();
    } else if (auto* calendar = std::get_if<CalendarWindow>(&*limit.elsewhere)) {
      calendar->advance(now.wall);
      view.used_elsewhere = calendar->used();
    }
  }
  if (const auto* sliding = std::get_if<SlidingWindow>(&limit.window)) {
    view.used = sliding->used();
    if (const auto at = sliding->next_leave()) view.resets_at = now.wall_at(*at);
  } else if (const auto* calendar = std::get_if<CalendarWindow>(&limit.window)) {
    view.used = calendar->used();
    view.resets_at = calendar->current().end;
  }
  view.remaining = std::max<std::int64_t>(0, limit.spec.amount - view.used - view.held);
  if (is_exhausted(limit, now)) {
    view.remaining = 0;
    view.exhausted_until =
        limit.exhausted_wall ? *limit.exhausted_wall : now.wall_at(*limit.exhausted_steady);
  }
  return view;
}

}  // namespace weir::quota
