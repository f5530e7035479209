// A book with one caller and clocks that the test moves.
#pragma once

#include <string>
#include <vector>

#include "quota/book.hpp"

namespace weir::quota {

using namespace std::chrono_literals;

inline WallTime utc(int year, unsigned month, unsigned day, Micros since_midnight = Micros(0)) {
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  return WallTime(std::chrono::sys_days(date).time_since_epoch()) + since_midnight;
}

// Noon on a plain Monday in Los Angeles.
inline const WallTime kNoon = utc(2026, 11, 23, 20h);
constexpr Micros kGuard = 250ms;
// What rounding to buckets may add to a minute.
constexpr Micros kMinuteBucket{234'375};

struct Desk {
  Book book;
  Now now;
  std::vector<Violation> violations;

  explicit Desk(WallTime start = kNoon) : now{SteadyTime(start.time_since_epoch()), start} {}

  LimitId sliding(Metric metric, Micros length, std::int64_t amount, bool enforce = true) {
    return add(metric, {WindowKind::sliding, length}, amount, "", enforce);
  }
  LimitId calendar(WindowKind kind, std::int64_t amount, std::string zone = "America/Los_Angeles") {
    return add(Metric::requests, {kind, {}}, amount, std::move(zone), true);
  }
  LimitId in_flight(std::int64_t amount) {
    return add(Metric::in_flight, {WindowKind::in_flight, {}}, amount, "", true);
  }
  LimitId add(Metric metric, Window window, std::int64_t amount, std::string zone, bool enforce) {
    LimitSpec spec;
    spec.name = limit_name({"m"}, metric, window);
    spec.models = {"m"};
    spec.metric = metric;
    spec.window = window;
    spec.amount = amount;
    spec.time_zone = std::move(zone);
    spec.enforce = enforce;
    return book.add(std::move(spec), kGuard);
  }

  void pass(Micros time) {
    now.steady += time;
    now.wall += time;
  }
  void go_to(SteadyTime at) { pass(at - now.steady); }
  void go_to(WallTime at) { pass(at - now.wall); }
  void step_wall_clock(Micros by) { now.wall += by; }

  // The span of a call that is admitted, sent and counted right now.
  [[nodiscard]] Span at_once() const { return {now.steady, now.steady + kGuard, skew()}; }
  [[nodiscard]] Micros skew() const { return now.wall.time_since_epoch() - now.steady.time_since_epoch(); }

  bool hold(const std::vector<LimitId>& limits, const Amounts& want = {}) {
    return book.try_admit(limits, want, now, violations);
  }
  void settle(const std::vector<LimitId>& limits, const Amounts& held, const Amounts& actual,
              const Span& span) {
    book.settle(limits, held, actual, span, now);
  }
  // Admits and settles at once.
  bool call(const std::vector<LimitId>& limits, const Amounts& want = {}) {
    if (!hold(limits, want)) return false;
    settle(limits, want, want, at_once());
    return true;
  }
  int calls_until_denied(const std::vector<LimitId>& limits, int at_most = 1000) {
    int calls = 0;
    while (calls < at_most && call(limits)) ++calls;
    return calls;
  }
  std::int64_t used(LimitId id) { return book.view(id, now).used; }
  std::int64_t held(LimitId id) { return book.view(id, now).held; }
};

inline Amounts tokens(std::int64_t input, std::int64_t output = 0) {
  Amounts amounts;
  amounts.input_tokens = input;
  amounts.output_tokens = output;
  return amounts;
}

}  // namespace weir::quota
