#include "admission/observations.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace weir::admission {
namespace {

constexpr std::string_view kExhausted = "exhausted";

bool same_period(const quota::Window& window, provider::QuotaPeriod period) {
  using quota::WindowKind;
  switch (period) {
    case provider::QuotaPeriod::day:
      return window.kind == WindowKind::day;
    case provider::QuotaPeriod::month:
      return window.kind == WindowKind::month;
    case provider::QuotaPeriod::minute:
      return window.kind == WindowKind::sliding && window.length == std::chrono::minutes(1);
    case provider::QuotaPeriod::second:
      return window.kind == WindowKind::sliding && window.length == std::chrono::seconds(1);
    case provider::QuotaPeriod::unknown:
      return false;
  }
  return false;
}

}  // namespace

const quota::LimitId* Observations::limit_of(const Lane& lane,
                                             const provider::QuotaViolation& violation) const {
  const quota::LimitId* shared = nullptr;
  for (const quota::LimitId& id : lane.limits) {
    const quota::LimitSpec& spec = book_.spec(id);
    if (!spec.consumer.empty()) continue;  // of our own making: upstream knows no consumers
    if (spec.metric != violation.metric || !same_period(spec.window, violation.period)) continue;
    const bool own = spec.models.size() == 1 && spec.models.front().find('*') == std::string::npos;
    if (own) return &id;
    shared = &id;
  }
  return shared;
}

void Observations::learn(Lane& lane, const provider::UpstreamError& error, const Now& now) {
  if (error.status != 429) return;
  for (const provider::QuotaViolation& violation : error.violations) {
    if (violation.quota_id.empty()) continue;
    const quota::LimitId* limit = limit_of(lane, violation);
    if (limit == nullptr) continue;
    const quota::LimitSpec& spec = book_.spec(*limit);

    const quota::LimitView before = book_.view(*limit, now);
    if (!before.exhausted_until && before.used <= before.amount) {
      metrics_.count_over_admission(lane.project_name, spec.name);
    }
    WallTime until = now.wall;
    if (spec.window.kind == quota::WindowKind::sliding) {
      until += std::max(spec.window.length, error.retry_after.value_or(Micros(0)));
    } else {
      until = *before.resets_at + book_.guard(*limit);
    }
    book_.exhaust(*limit, until, now);

    // The same limit again: the newer one stands.
    for (std::size_t i = 0; i < all_.size(); ++i) {
      if (limits_[i] == *limit) {
        ledger_.forget_observation(all_[i].id);
        drop(i);
        break;
      }
    }
    if (all_.size() >= kMax) {
      ledger_.forget_observation(all_.front().id);
      drop(0);
    }
    ledger::Observation seen;
    seen.id = now.steady.time_since_epoch().count();
    if (!all_.empty()) seen.id = std::max(seen.id, all_.back().id + 1);
    seen.project = lane.key.project;
    seen.model = lane.model;
    seen.limit = spec.name;
    seen.kind = kExhausted;
    seen.amount = violation.amount.value_or(-1);
    seen.until = until;
    seen.seen_at = now.wall;
    seen.evidence = fmt::format("429 {} {}", violation.quota_id, error.message).substr(0, 1000);
    metrics_.count_observation(lane.project_name, seen.kind);
    ledger_.append(seen);
    all_.push_back(std::move(seen));
    limits_.push_back(*limit);
  }
}

void Observations::restore(const std::vector<ledger::Observation>& known, Directory& directory,
                           const Now& now) {
  for (const ledger::Observation& seen : known) {
    Project* project = directory.project(ledger_.name(seen.project));
    const quota::LimitId* limit = nullptr;
    if (project != nullptr && seen.kind == kExhausted && seen.until > now.wall) {
      // The model's limits exist once its lane does.
      directory.lane(project->setup->name, seen.model, "default", now.wall);
      const auto found = std::find_if(project->limits.begin(), project->limits.end(),
                                      [&](quota::LimitId id) { return book_.spec(id).name == seen.limit; });
      if (found != project->limits.end()) limit = &*found;
    }
    if (limit == nullptr) {
      ledger_.forget_observation(seen.id);
      continue;
    }
    book_.exhaust(*limit, seen.until, now);
    all_.push_back(seen);
    limits_.push_back(*limit);
  }
}

bool Observations::forget(std::int64_t id) {
  for (std::size_t i = 0; i < all_.size(); ++i) {
    if (all_[i].id != id) continue;
    book_.reopen(limits_[i]);
    ledger_.forget_observation(id);
    drop(i);
    return true;
  }
  return false;
}

void Observations::drop_ended(const Now& now) {
  for (std::size_t i = all_.size(); i-- > 0;) {
    if (all_[i].until > now.wall) continue;
    ledger_.forget_observation(all_[i].id);
    drop(i);
  }
}

void Observations::drop(std::size_t index) {
  all_.erase(all_.begin() + static_cast<std::ptrdiff_t>(index));
  limits_.erase(limits_.begin() + static_cast<std::ptrdiff_t>(index));
}

}  // namespace weir::admission
