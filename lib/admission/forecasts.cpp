#include "admission/forecasts.hpp"

namespace weir::admission {
namespace {

constexpr Micros kSampled = std::chrono::minutes(1);

}  // namespace

void Forecasts::begin(const Now& now) {
  began_ = sampled_ = now.steady;
  for (auto id = static_cast<quota::LimitId>(paces_.size()); id < book_.size(); ++id) {
    paces_.emplace_back(quota::pace_memory(book_.spec(id).window), began_, book_.taken(id));
  }
}

void Forecasts::start_over(const Now& now) {
  paces_.clear();
  habits_.clear();
  begin(now);
}

void Forecasts::add_new() {
  for (auto id = static_cast<quota::LimitId>(paces_.size()); id < book_.size(); ++id) {
    paces_.emplace_back(quota::pace_memory(book_.spec(id).window), began_, 0);
  }
}

void Forecasts::tick(const Now& now) {
  if (now.steady < sampled_ + kSampled) return;
  sampled_ = now.steady;
  add_new();
  for (quota::LimitId id = 0; id < paces_.size(); ++id) paces_[id].sample(now.steady, book_.taken(id));
}

quota::Forecast Forecasts::forecast(quota::LimitId id, const quota::LimitView& view, const Now& now) const {
  static const quota::Habit kNone;
  const quota::LimitSpec& spec = book_.spec(id);
  std::optional<double> pace;
  if (spec.window.kind != quota::WindowKind::in_flight) {
    const quota::Pace fresh(quota::pace_memory(spec.window), began_, 0);
    pace = (id < paces_.size() ? paces_[id] : fresh).per_hour(now.steady, book_.taken(id));
  }
  const quota::Habit& habit = id < habits_.size() ? habits_[id] : kNone;
  return quota::forecast(spec, view, pace, habit, directory_.owner(id).zone, now.wall);
}

}  // namespace weir::admission
