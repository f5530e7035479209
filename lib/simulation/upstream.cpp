#include "simulation/upstream.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace weir::simulation {
namespace {

using quota::WindowKind;

// Far above what rounding leaves of a bucket's level, far below one request.
constexpr double kSliver = 1e-6;

CalendarUnit unit_of(WindowKind kind) {
  if (kind == WindowKind::week) return CalendarUnit::week;
  return kind == WindowKind::month ? CalendarUnit::month : CalendarUnit::day;
}

std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
  return a / b - (a % b < 0 ? 1 : 0);
}

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
template <class... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

}  // namespace

bool Upstream::counts(const quota::LimitSpec& spec) {
  return spec.enforce && spec.consumer.empty() && spec.window.kind != WindowKind::in_flight &&
         (spec.metric == Metric::requests || spec.metric == Metric::input_tokens);
}

Upstream::Limit Upstream::add(const quota::LimitSpec& spec) {
  Counter counter{.amount = spec.amount,
                  .tokens = spec.metric == Metric::input_tokens,
                  .length = spec.window.length,
                  .how = Log{}};
  if (spec.window.kind != WindowKind::sliding) {
    const auto zone = Zone::find(spec.time_zone);
    if (!zone) throw std::invalid_argument("unknown time zone " + spec.time_zone);
    counter.how = Calendar{.zone = *zone, .unit = unit_of(spec.window.kind)};
  } else if (options_.counting == Counting::fixed) {
    counter.how = Fixed{};
  } else if (options_.counting == Counting::bucket) {
    counter.how = Bucket{.filled_at = {}, .level = static_cast<double>(spec.amount)};
  }
  limits_.push_back(std::move(counter));
  return static_cast<Limit>(limits_.size() - 1);
}

Micros Upstream::delay() {
  if (options_.jitter <= Micros(0)) return Micros(0);
  return Micros(
      static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(options_.jitter.count() + 1)));
}

const Upstream::Verdict& Upstream::call(std::span<const Limit> limits, std::int64_t input_tokens,
                                        WallTime at) {
  verdict_.refused_by.clear();
  verdict_.retry_after = Micros(0);
  const auto want = [&](const Counter& counter) { return counter.tokens ? input_tokens : std::int64_t{1}; };
  for (const Limit id : limits) {
    Counter& counter = limits_[id];
    advance(counter, at);
    const Micros waits = wait(counter, want(counter), at);
    if (waits == Micros(0)) continue;
    verdict_.refused_by.push_back(id);
    verdict_.retry_after = std::max(verdict_.retry_after, waits);
    ++counter.refused;
  }
  if (!verdict_.refused_by.empty()) {
    ++total_.refused;
    return verdict_;
  }
  ++total_.taken;
  for (const Limit id : limits) take(limits_[id], want(limits_[id]), at);
  return verdict_;
}

void Upstream::advance(Counter& counter, WallTime at) const {
  std::visit(Overloaded{[&](Log& log) {
                          while (!log.entries.empty() && log.entries.front().at + counter.length <= at) {
                            log.sum -= log.entries.front().amount;
                            log.entries.pop_front();
                          }
                        },
                        [&](Fixed& fixed) {
                          const std::int64_t index = floor_divide(
                              (at.time_since_epoch() - options_.phase).count(), counter.length.count());
                          if (index != fixed.index) fixed = {index, 0};
                        },
                        [&](Bucket& bucket) {
                          const auto amount = static_cast<double>(counter.amount);
                          if (bucket.filled_at) {
                            const double lengths = seconds(at - *bucket.filled_at) / seconds(counter.length);
                            bucket.level = std::min(amount, bucket.level + amount * lengths);
                          }
                          bucket.filled_at = at;
                        },
                        [&](Calendar& calendar) {
                          if (calendar.period.contains(at)) return;
                          calendar.period = calendar.zone.interval(calendar.unit, at);
                          calendar.sum = 0;
                        }},
             counter.how);
}

Micros Upstream::wait(const Counter& counter, std::int64_t want, WallTime at) const {
  const std::int64_t amount = counter.amount;
  const auto until = [&](WallTime opens) { return std::max(Micros(1), opens - at); };
  return std::visit(Overloaded{[&](const Log& log) {
                                 std::int64_t must_leave = log.sum + want - amount;
                                 if (must_leave <= 0) return Micros(0);
                                 for (const Log::Entry& entry : log.entries) {
                                   must_leave -= entry.amount;
                                   if (must_leave <= 0) return until(entry.at + counter.length);
                                 }
                                 return counter.length;  // more than the limit's whole amount
                               },
                               [&](const Fixed& fixed) {
                                 if (fixed.sum + want <= amount) return Micros(0);
                                 return until(WallTime((fixed.index + 1) * counter.length + options_.phase));
                               },
                               [&](const Bucket& bucket) {
                                 const double missing = static_cast<double>(want) - bucket.level;
                                 if (missing <= kSliver) return Micros(0);
                                 if (amount == 0) return counter.length;
                                 const double lengths = missing / static_cast<double>(amount);
                                 return Micros(static_cast<std::int64_t>(
                                     std::ceil(lengths * static_cast<double>(counter.length.count()))));
                               },
                               [&](const Calendar& calendar) {
                                 if (calendar.sum + want <= amount) return Micros(0);
                                 return until(calendar.period.end);
                               }},
                    counter.how);
}

void Upstream::take(Counter& counter, std::int64_t amount, WallTime at) {
  std::visit(Overloaded{[&](Log& log) {
                          log.entries.push_back({at, amount});
                          log.sum += amount;
                        },
                        [&](Fixed& fixed) { fixed.sum += amount; },
                        [&](Bucket& bucket) { bucket.level -= static_cast<double>(amount); },
                        [&](Calendar& calendar) { calendar.sum += amount; }},
             counter.how);
}

}  // namespace weir::simulation
