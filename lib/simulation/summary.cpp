#include "simulation/summary.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <tuple>

#include "time/zone.hpp"

namespace weir::simulation {
namespace {

using quota::WindowKind;

std::int64_t periods(const quota::LimitSpec& spec, WallTime from, WallTime to) {
  const auto zone = Zone::find(spec.time_zone);
  if (!zone) return 0;
  const CalendarUnit unit = spec.window.kind == WindowKind::week    ? CalendarUnit::week
                            : spec.window.kind == WindowKind::month ? CalendarUnit::month
                                                                    : CalendarUnit::day;
  std::int64_t count = 1;
  for (WallInterval period = zone->interval(unit, from); period.end <= to;
       period = zone->interval(unit, period.end)) {
    ++count;
  }
  return count;
}

std::int64_t windows_of(const quota::LimitSpec& spec, WallTime from, WallTime to) {
  if (spec.window.kind == WindowKind::in_flight) return 0;
  if (spec.window.kind != WindowKind::sliding) return periods(spec, from, to);
  const std::int64_t length = spec.window.length.count();
  return std::max<std::int64_t>(1, ((to - from).count() + length - 1) / length);
}

}  // namespace

// --- durations ---

// Below 64 us a step is a microsecond; from there each power of two has 64 steps.
std::size_t Durations::step_of(std::int64_t us) {
  const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(0, us));
  if (value < (1U << kStepBits)) return value;
  const int shift = static_cast<int>(std::bit_width(value)) - 1 - kStepBits;
  return (static_cast<std::size_t>(shift + 1) << kStepBits) +
         static_cast<std::size_t>((value >> shift) - (1U << kStepBits));
}

std::int64_t Durations::end_of(std::size_t step) {
  constexpr std::size_t kSteps = 1U << kStepBits;
  if (step < kSteps) return static_cast<std::int64_t>(step);
  const std::size_t shift = (step >> kStepBits) - 1;
  const std::uint64_t begin = ((step & (kSteps - 1)) + kSteps) << shift;
  return static_cast<std::int64_t>(begin + (std::uint64_t{1} << shift) - 1);
}

void Durations::add(Micros duration) {
  ++steps_[step_of(duration.count())];
  ++count_;
  longest_ = std::max(longest_, duration);
}

Micros Durations::quantile(double share) const {
  const auto rank = static_cast<std::int64_t>(std::ceil(share * static_cast<double>(count_)));
  std::int64_t passed = 0;
  for (std::size_t step = 0; step < steps_.size(); ++step) {
    passed += steps_[step];
    if (passed >= rank && passed > 0) return std::min(longest_, Micros(end_of(step)));
  }
  return longest_;
}

// --- totals ---

double LimitUse::share() const {
  if (windows == 0 || spec.amount == 0) return 0;
  return static_cast<double>(charged) / (static_cast<double>(spec.amount) * static_cast<double>(windows));
}

Summary::Use& Summary::use(quota::LimitId id) {
  if (id >= uses_.size()) uses_.resize(id + 1);
  return uses_[id];
}

void Summary::add(const Decided& decided, Engine& engine) {
  if (began_ < Micros(0)) began_ = decided.at;
  began_ = std::min(began_, decided.at);
  ended_ = decided.decided_at;
  if (decided.decision == Decision::admitted) {
    ++admitted_;
    if (decided.decided_at > decided.at) waits_.add(decided.decided_at - decided.at);
    quota::Book& book = engine.service().book();
    for (const quota::LimitId id : decided.call->lane->limits) {
      Use& limit = use(id);
      limit.charged += decided.call->held.of(book.spec(id).metric);
      const quota::LimitView view = book.view(id, engine.now());
      limit.fullest = std::max(limit.fullest, view.used + view.held);
    }
    return;
  }
  const bool timed_out = decided.decision == Decision::timed_out;
  ++(timed_out ? timed_out_ : denied_);
  if (decided.limit) ++(timed_out ? use(*decided.limit).timed_out : use(*decided.limit).denied);
  using admission::Verdict;
  if (decided.verdict == Verdict::never_fits) ++never_fit_;
  if (decided.verdict == Verdict::line_full) ++line_full_;
  if (decided.verdict == Verdict::too_many_open) {
    ++too_many_open_;
  } else if (!decided.limit) {
    ++others_first_;
  }
}

std::vector<LimitUse> Summary::limits(Engine& engine) const {
  const WallTime zero = engine.now().wall - engine.elapsed();
  std::vector<LimitUse> limits;
  for (quota::LimitId id = 0; id < uses_.size(); ++id) {
    const Use& use = uses_[id];
    if (use.charged == 0 && use.denied == 0 && use.timed_out == 0) continue;
    LimitUse limit;
    limit.project = engine.service().directory().owner(id).setup->name;
    limit.spec = engine.service().book().spec(id);
    limit.denied = use.denied;
    limit.timed_out = use.timed_out;
    limit.charged = use.charged;
    limit.fullest = use.fullest;
    limit.windows = windows_of(limit.spec, zero + began_, zero + ended_);
    limit.refused_upstream = engine.refused_upstream(id);
    limits.push_back(std::move(limit));
  }
  std::sort(limits.begin(), limits.end(), [](const LimitUse& a, const LimitUse& b) {
    return std::tie(a.project, a.spec.name) < std::tie(b.project, b.spec.name);
  });
  return limits;
}

}  // namespace weir::simulation
