#include "admission/observations.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "admission/observation_kinds.hpp"

namespace weir::admission {
namespace {

using provider::ErrorKind;
using provider::QuotaPeriod;
using quota::LimitId;
using quota::WindowKind;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::string_view kCoolDownGate = "/cool_down", kSpendGate = "/spend", kCreditsGate = "/credits";

constexpr Micros kBelieved = hours(24 * 7);  // an amount that is not seen again; a model that is off
constexpr Micros kFirstRest = seconds(2), kLongestRest = seconds(60);
constexpr Micros kFirstSpendRest = seconds(60), kLongestSpendRest = minutes(10);
constexpr Micros kCreditsProbe = hours(1);
constexpr Micros kSoonestProbe = seconds(60);
constexpr Micros kBetweenExplorations = minutes(1);
constexpr int kSuccesses = 3;  // one proves little: upstream's enforcement is soft
constexpr int kOverloads = 3;  // single ones are everybody's daily bread
constexpr std::size_t kMaxEvidence = 1000;

bool same_period(const quota::Window& window, QuotaPeriod period) {
  switch (period) {
    case QuotaPeriod::day:
      return window.kind == WindowKind::day;
    case QuotaPeriod::month:
      return window.kind == WindowKind::month;
    case QuotaPeriod::minute:
      return window.kind == WindowKind::sliding && window.length == minutes(1);
    case QuotaPeriod::second:
      return window.kind == WindowKind::sliding && window.length == seconds(1);
    case QuotaPeriod::unknown:
      return false;
  }
  return false;
}

quota::Window window_of(QuotaPeriod period) {
  switch (period) {
    case QuotaPeriod::day:
      return {WindowKind::day, {}};
    case QuotaPeriod::month:
      return {WindowKind::month, {}};
    case QuotaPeriod::second:
      return {WindowKind::sliding, seconds(1)};
    default:
      return {WindowKind::sliding, minutes(1)};
  }
}

bool is_tokens(Metric metric) {
  return metric == Metric::input_tokens || metric == Metric::output_tokens || metric == Metric::total_tokens;
}

bool is_calendar(const quota::LimitSpec& spec) {
  return !spec.time_zone.empty();
}

bool is_amount(const ledger::Observation& seen) {
  return seen.kind == kAmount || seen.kind == kExplored;
}

bool is_gate(std::string_view limit) {
  return limit.ends_with(kCoolDownGate) || limit.ends_with(kSpendGate) || limit.ends_with(kCreditsGate);
}

std::string evidence_of(const provider::UpstreamError& error, std::string_view quota_id) {
  return fmt::format("{} {}{}{}", error.status, quota_id, quota_id.empty() ? "" : " ", error.message)
      .substr(0, kMaxEvidence);
}

// "gemini-2.5-flash/requests/day" back into a limit; model names may have slashes of their own.
std::optional<quota::LimitSpec> spec_named(std::string_view name) {
  const std::size_t window_at = name.rfind('/');
  if (window_at == std::string_view::npos || window_at == 0) return std::nullopt;
  const std::size_t metric_at = name.rfind('/', window_at - 1);
  if (metric_at == std::string_view::npos) return std::nullopt;
  const auto window = quota::parse_window(name.substr(window_at + 1));
  const auto metric = parse_metric(name.substr(metric_at + 1, window_at - metric_at - 1));
  if (!window || !metric || window->kind == WindowKind::in_flight) return std::nullopt;
  quota::LimitSpec spec;
  spec.name = name;
  spec.models = {std::string(name.substr(0, metric_at))};
  spec.metric = *metric;
  spec.window = *window;
  spec.source = quota::Source::observed;
  return spec;
}

}  // namespace

// --- what is known

std::optional<std::size_t> Observations::find(LimitId limit, std::string_view kind) const {
  for (std::size_t i = 0; i < all_.size(); ++i) {
    if (states_[i].has_limit && states_[i].limit == limit && all_[i].kind == kind) return i;
  }
  return std::nullopt;
}

ledger::Observation Observations::seen(const Lane& lane, std::string_view limit, std::string_view kind,
                                       WallTime until, std::string evidence, const Now& now) const {
  ledger::Observation seen;
  seen.id = now.steady.time_since_epoch().count();
  if (!all_.empty()) seen.id = std::max(seen.id, all_.back().id + 1);
  seen.project = lane.key.project;
  seen.model = lane.model;
  seen.limit = limit;
  seen.kind = kind;
  seen.until = until;
  seen.seen_at = now.wall;
  seen.evidence = std::move(evidence);
  return seen;
}

Observations::State& Observations::keep(ledger::Observation seen, std::optional<LimitId> limit,
                                        const Now& now) {
  if (limit) {
    if (const auto same = find(*limit, seen.kind)) drop(*same);  // the newer one stands
  }
  if (all_.size() >= kMax) forget(all_.front().id, now);
  metrics_.count_observation(std::string(ledger_.name(seen.project)), seen.kind);
  ledger_.append(seen);
  all_.push_back(std::move(seen));
  states_.push_back({.limit = limit.value_or(0), .has_limit = limit.has_value()});
  return states_.back();
}

void Observations::drop(std::size_t index) {
  ledger_.forget_observation(all_[index].id);
  all_.erase(all_.begin() + static_cast<std::ptrdiff_t>(index));
  states_.erase(states_.begin() + static_cast<std::ptrdiff_t>(index));
}

bool Observations::forget(std::int64_t id, const Now& now) {
  const auto at = std::find_if(all_.begin(), all_.end(), [id](const auto& seen) { return seen.id == id; });
  if (at == all_.end()) return false;
  const auto index = static_cast<std::size_t>(at - all_.begin());
  const LimitId limit = states_[index].limit;
  if (is_amount(*at)) {
    book_.observe_amount(limit, std::nullopt);
  } else if (at->kind == kReopened) {
    book_.forget_elsewhere(limit, now);
  } else if (at->kind == kModelName) {
    rename_back(*at, now);
  } else {
    book_.reopen(limit);
    book_.forget_elsewhere(limit, now);
    rests_.erase(limit);
  }
  drop(index);
  return true;
}

void Observations::tick(const Now& now) {
  for (std::size_t i = all_.size(); i-- > 0;) {
    ledger::Observation& seen = all_[i];
    State& state = states_[i];
    if (seen.until > now.wall) {
      if (seen.probe_at != WallTime{} && seen.probe_at <= now.wall && !state.probing) {
        state = {.limit = state.limit, .probing = true, .probe_from = now.steady};
        book_.allow_probe(state.limit);
      }
      continue;
    }
    const bool lasts = (seen.kind == kOff && now.wall < seen.seen_at + kBelieved) || seen.kind == kCredits;
    if (lasts) {
      // Closed for as long again, but for one call that finds out.
      seen.until = now.wall + (seen.kind == kOff ? Micros(hours(24)) : kCreditsProbe);
      book_.exhaust(state.limit, seen.until, now);
      book_.allow_probe(state.limit);
      state = {.limit = state.limit, .probing = true, .probe_from = now.steady};
      continue;
    }
    if (is_amount(seen)) book_.observe_amount(state.limit, std::nullopt);
    if (seen.kind == kModelName) rename_back(seen, now);
    drop(i);
  }
}

// --- what is heard

void Observations::hear(Lane& lane, const Settlement& answer, SteadyTime admitted, const Now& now) {
  if (answer.error) {
    refused(lane, *answer.error, now);
  } else if (answer.status < 400 && (!all_.empty() || !rests_.empty())) {
    succeeded(lane, admitted, now);
  }
  if (!answer.rate_limits.empty()) read_headers(lane, answer, now);
}

void Observations::refused(Lane& lane, const provider::UpstreamError& error, const Now& now) {
  switch (error.kind) {
    case ErrorKind::quota: {
      bool named = false;
      for (const provider::QuotaViolation& violation : error.violations) {
        if (violation.period == QuotaPeriod::unknown) continue;
        violated(lane, violation, error, now);
        named = true;
      }
      if (named) return;
      break;  // a quota of which nobody knows over what time it counts
    }
    case ErrorKind::unnamed_429:
      break;
    case ErrorKind::spend: {
      const auto at = std::find_if(lane.limits.begin(), lane.limits.end(), [this](LimitId id) {
        const quota::LimitSpec& spec = book_.spec(id);
        return spec.metric == Metric::cost_usd && spec.consumer.empty() &&
               spec.window.kind == WindowKind::sliding;
      });
      const LimitId limit = at != lane.limits.end() ? *at : gate(lane, "*", kSpendGate);
      return rest(lane, limit, kSpend, kFirstSpendRest, kLongestSpendRest, error, now);
    }
    case ErrorKind::credits:
      return out_of_credits(lane, error, now);
    case ErrorKind::overloaded:
      return overloaded(lane, now);
    case ErrorKind::auth:
    case ErrorKind::bad_request:
    case ErrorKind::server:
      return;  // no quota
  }
  rest(lane, gate(lane, lane.canonical, kCoolDownGate), kCoolDown, kFirstRest, kLongestRest, error, now);
}

std::optional<LimitId> Observations::limit_of(const Lane& lane, Metric metric, QuotaPeriod period,
                                              bool per_model) const {
  std::optional<LimitId> found;
  int best = 0;
  for (const LimitId id : lane.limits) {
    const quota::LimitSpec& spec = book_.spec(id);
    // Consumers' limits are of our own making, gates count nothing.
    if (!spec.consumer.empty() || spec.gate || !same_period(spec.window, period)) continue;
    if (spec.metric != metric && !(is_tokens(spec.metric) && is_tokens(metric))) continue;
    const bool own = quota::counts_one_model(spec);
    if (per_model && !own) continue;
    const int fit = (spec.metric == metric ? 2 : 0) + (own ? 1 : 0) + 1;
    if (fit > best) {
      best = fit;
      found = id;
    }
  }
  return found;
}

void Observations::violated(Lane& lane, const provider::QuotaViolation& violation,
                            const provider::UpstreamError& error, const Now& now) {
  const std::string evidence = evidence_of(error, violation.quota_id);
  if (!violation.model.empty()) learn_model_name(lane, violation.model, evidence, now);
  auto limit = limit_of(lane, violation.metric, violation.period, violation.per_model());
  if (!limit) {
    limit = violation.amount.value_or(0) > 0
                ? add_limit(lane, violation)
                : gate(lane, lane.canonical, kCoolDownGate);  // how much is not known
  }
  count_over_admission(lane, *limit, now);
  if (violation.amount == 0) return turned_off(lane, *limit, evidence, now);
  if (violation.amount) learn_amount(lane, *limit, *violation.amount, evidence, now);
  exhausted(lane, *limit, violation, error, now);
}

LimitId Observations::add_limit(Lane& lane, const provider::QuotaViolation& violation) {
  quota::LimitSpec spec;
  spec.models = {lane.canonical};
  spec.metric = violation.metric;
  spec.window = window_of(violation.period);
  spec.amount = *violation.amount;
  spec.source = quota::Source::observed;
  spec.name = quota::limit_name(spec.models, spec.metric, spec.window);
  return directory_.add_limit(*lane.project, std::move(spec), hold_open_);
}

void Observations::count_over_admission(const Lane& lane, LimitId limit, const Now& now) {
  const quota::LimitView view = book_.view(limit, now);
  if (!view.exhausted_until && view.used <= view.amount) {
    metrics_.count_over_admission(lane.project_name, book_.spec(limit).name);
  }
}

void Observations::exhausted(Lane& lane, LimitId limit, const provider::QuotaViolation& violation,
                             const provider::UpstreamError& error, const Now& now) {
  const quota::LimitSpec& spec = book_.spec(limit);
  const quota::LimitView view = book_.view(limit, now);
  const Micros hint = error.retry_after.value_or(Micros(0));
  const auto before = find(limit, kExhausted);

  auto seen = this->seen(lane, spec.name, kExhausted, now.wall, evidence_of(error, violation.quota_id), now);
  seen.amount = violation.amount.value_or(-1);
  if (is_calendar(spec)) {
    seen.until = *view.resets_at + book_.guard(limit);
    // The hint is often wrong, and a call that finds out is lost: after each in vain it takes twice as long.
    Micros wait = std::max(hint, kSoonestProbe);
    if (before && all_[*before].probe_at != WallTime{}) {
      wait = std::max(wait, 2 * Micros(all_[*before].probe_at - all_[*before].seen_at));
    }
    if (hint > Micros(0) && now.wall + wait < seen.until) seen.probe_at = now.wall + wait;
  } else if (spec.gate && violation.period == QuotaPeriod::day) {
    seen.until = lane.project->zone.interval(CalendarUnit::day, now.wall).end + book_.guard(limit);
  } else {
    const Micros window = spec.gate ? Micros(minutes(1)) : spec.window.length;
    seen.until = now.wall + std::max(window, hint);
  }
  // Nothing is left, so what we did not use others did.
  const std::int64_t counted = violation.used.value_or(violation.amount.value_or(0));
  charge_others(limit, counted - view.used - view.held, now);
  seen.elsewhere = book_.view(limit, now).used_elsewhere;
  if (const auto old = find(limit, kReopened)) drop(*old);
  book_.exhaust(limit, seen.until, now);
  keep(std::move(seen), limit, now);
}

void Observations::charge_others(LimitId limit, std::int64_t amount, const Now& now) {
  if (amount <= 0 || book_.spec(limit).gate) return;
  book_.charge_elsewhere(limit, amount,
                         {now.steady, now.steady + book_.guard(limit),
                          now.wall.time_since_epoch() - now.steady.time_since_epoch()},
                         now);
}

void Observations::turned_off(Lane& lane, LimitId limit, const std::string& evidence, const Now& now) {
  const WallInterval today = lane.project->zone.interval(CalendarUnit::day, now.wall);
  auto seen = this->seen(lane, book_.spec(limit).name, kOff, today.end + book_.guard(limit), evidence, now);
  seen.amount = 0;
  book_.exhaust(limit, seen.until, now);
  keep(std::move(seen), limit, now);
}

void Observations::learn_amount(Lane& lane, LimitId limit, std::int64_t amount, const std::string& evidence,
                                const Now& now) {
  book_.observe_amount(limit, std::nullopt);
  if (const auto guessed = find(limit, kExplored)) drop(*guessed);
  if (book_.spec(limit).amount == amount && book_.spec(limit).source != quota::Source::observed) {
    if (const auto old = find(limit, kAmount)) drop(*old);  // as published, after all
    return;
  }
  book_.observe_amount(limit, amount);
  auto seen = this->seen(lane, book_.spec(limit).name, kAmount, now.wall + kBelieved, evidence, now);
  seen.amount = amount;
  keep(std::move(seen), limit, now);
}

void Observations::learn_model_name(Lane& lane, const std::string& upstream_name, const std::string& evidence,
                                    const Now& now) {
  if (upstream_name == lane.model || upstream_name == lane.canonical) return;
  for (std::size_t i = all_.size(); i-- > 0;) {
    const ledger::Observation& old = all_[i];
    if (old.kind == kModelName && old.project == lane.key.project && old.model == lane.model) drop(i);
  }
  keep(seen(lane, upstream_name, kModelName, now.wall + kBelieved, evidence, now), std::nullopt, now);
  directory_.rename(*lane.project, lane.model, upstream_name, now, hold_open_);
}

void Observations::rename_back(const ledger::Observation& seen, const Now& now) {
  if (Project* project = directory_.project(ledger_.name(seen.project)))
    directory_.rename(*project, seen.model, {}, now, hold_open_);
}

// --- rests

LimitId Observations::gate(Lane& lane, std::string models, std::string_view suffix) {
  quota::LimitSpec spec;
  spec.name = models + std::string(suffix);
  spec.models = {std::move(models)};
  spec.window = {WindowKind::in_flight, {}};
  spec.amount = quota::kNoAmount;
  spec.source = quota::Source::observed;
  spec.gate = true;
  return directory_.add_limit(*lane.project, std::move(spec), hold_open_);
}

void Observations::rest(Lane& lane, LimitId limit, std::string_view kind, Micros first, Micros longest,
                        const provider::UpstreamError& error, const Now& now) {
  Rest& rest = rests_[limit];
  if (now.steady < rest.until) return;  // sent before the rest began: no news
  count_over_admission(lane, limit, now);
  const Micros grown = first * (std::int64_t{1} << std::min(rest.refusals, 10));
  const Micros length = std::clamp(std::max(grown, error.retry_after.value_or(Micros(0))), first, longest);
  ++rest.refusals;
  rest.until = now.steady + length;
  close_for(limit, length, now);
  keep(seen(lane, book_.spec(limit).name, kind, now.wall + length, evidence_of(error, {}), now), limit, now);
}

void Observations::overloaded(Lane& lane, const Now& now) {
  const LimitId limit = gate(lane, lane.canonical, kCoolDownGate);
  Rest& rest = rests_[limit];
  if (now.steady < rest.until || ++rest.overloads < kOverloads) return;
  const Micros length =
      std::min(kLongestRest, kFirstRest * (std::int64_t{1} << std::min(rest.overloads - kOverloads, 10)));
  rest.until = now.steady + length;
  close_for(limit, length, now);
}

// A limit that is closed for longer stays so.
void Observations::close_for(LimitId limit, Micros length, const Now& now) {
  const auto closed_until = book_.view(limit, now).exhausted_until;
  if (!closed_until || *closed_until < now.wall + length) book_.exhaust(limit, now.wall + length, now);
}

void Observations::out_of_credits(Lane& lane, const provider::UpstreamError& error, const Now& now) {
  const LimitId limit = gate(lane, "*", kCreditsGate);
  if (!find(limit, kCredits)) count_over_admission(lane, limit, now);
  const WallTime until = now.wall + kCreditsProbe;
  book_.exhaust(limit, until, now);
  keep(seen(lane, book_.spec(limit).name, kCredits, until, evidence_of(error, {}), now), limit, now);
}

// --- successes

void Observations::succeeded(Lane& lane, SteadyTime admitted, const Now& now) {
  for (const LimitId limit : lane.limits) {
    const auto rest = rests_.find(limit);
    // A call that was sent before the last rest says nothing about it.
    if (rest != rests_.end() && admitted >= rest->second.until) rests_.erase(rest);
  }
  for (std::size_t i = all_.size(); i-- > 0;) {
    State& state = states_[i];
    if (!state.has_limit ||
        std::find(lane.limits.begin(), lane.limits.end(), state.limit) == lane.limits.end())
      continue;
    ledger::Observation& seen = all_[i];
    if (seen.kind == kAmount) {
      // More went through than it is said to allow.
      const quota::LimitView view = book_.view(state.limit, now);
      const bool beyond = seen.amount >= 0 && view.used - view.used_elsewhere > seen.amount;
      if (!beyond || ++state.successes < kSuccesses) continue;
      book_.observe_amount(state.limit, std::nullopt);
      drop(i);
    } else if (state.probing && admitted >= state.probe_from) {
      const int needed = seen.kind == kExhausted ? kSuccesses : 1;
      if (++state.successes < needed) {
        book_.allow_probe(state.limit);
      } else if (seen.kind == kExhausted) {
        reopen_window(i, now);
      } else {
        book_.reopen(state.limit);
        drop(i);
      }
    }
  }
}

// Upstream's day began anew before ours: what was used so far does not count any more.
void Observations::reopen_window(std::size_t index, const Now& now) {
  const LimitId limit = states_[index].limit;
  ledger::Observation reopened = all_[index];
  drop(index);
  book_.reopen(limit);
  book_.forget_elsewhere(limit, now);
  const quota::LimitView view = book_.view(limit, now);
  const SteadyTime at = now.steady;
  const Micros skew = now.wall.time_since_epoch() - at.time_since_epoch();
  book_.charge_elsewhere(limit, -view.used, {at, at, skew}, now);
  reopened.id = std::max(now.steady.time_since_epoch().count(), all_.empty() ? 0 : all_.back().id + 1);
  reopened.kind = kReopened;
  reopened.probe_at = {};
  reopened.seen_at = now.wall;
  reopened.elsewhere = -view.used;
  reopened.evidence = fmt::format("{} calls in a row went through", kSuccesses);
  keep(std::move(reopened), limit, now);
}

void Observations::read_headers(Lane& lane, const Settlement& answer, const Now& now) {
  const bool groq = lane.project->setup->provider == "groq";
  const bool per_model = lane.project->setup->provider != "openrouter";  // which counts the account
  for (const provider::RateLimit& told : answer.rate_limits) {
    QuotaPeriod period = told.period;
    if (period == QuotaPeriod::unknown) {
      // Groq's requests are per day; elsewhere a reset that is more than a minute away is a day's.
      const bool day = groq ? told.metric == Metric::requests : told.reset_in(now.wall) > Micros(minutes(1));
      period = day ? QuotaPeriod::day : QuotaPeriod::minute;
    }
    const auto limit = limit_of(lane, told.metric, period, per_model);
    if (!limit) continue;
    if (told.limit && *told.limit > 0 && *told.limit != book_.spec(*limit).amount) {
      learn_amount(lane, *limit, *told.limit, fmt::format("{} header of a {}", told.header, answer.status),
                   now);
    }
    if (!told.limit || !told.remaining) continue;
    // What it counts beyond our own settled use: open calls stay held beside it.
    const quota::LimitView view = book_.view(*limit, now);
    charge_others(*limit, *told.limit - *told.remaining - view.used, now);
  }
}

// --- beyond what is published

bool Observations::may_explore(const Lane& lane, std::span<const quota::Violation> violations,
                               const Now& now) const {
  if (!lane.project->setup->explore || violations.empty()) return false;
  return std::all_of(violations.begin(), violations.end(), [&](const quota::Violation& violation) {
    const quota::LimitSpec& spec = book_.spec(violation.limit);
    const bool published = spec.source == quota::Source::catalog || find(violation.limit, kExplored);
    const auto before = explorations_.find(violation.limit);
    const bool rested = before == explorations_.end() ||
                        now.steady - before->second.began >=
                            (before->second.under_way ? OpenCalls::kMaxLease : kBetweenExplorations);
    return published && rested && spec.consumer.empty() && !violation.exhausted && !violation.never_fits;
  });
}

void Observations::explore(std::span<const quota::Violation> violations, const Now& now) {
  for (const quota::Violation& violation : violations) explorations_[violation.limit] = {now.steady, true};
}

void Observations::explored(Lane& lane, bool success, const Now& now) {
  for (const LimitId limit : lane.limits) {
    const auto at = explorations_.find(limit);
    if (at == explorations_.end() || !at->second.under_way) continue;
    at->second.under_way = false;
    const quota::LimitView view = book_.view(limit, now);
    if (!success || view.used <= view.amount || view.exhausted_until) continue;
    book_.observe_amount(limit, view.used);
    auto seen = this->seen(lane, book_.spec(limit).name, kExplored, now.wall + kBelieved,
                           fmt::format("a call beyond {} went through", view.amount), now);
    seen.amount = view.used;
    keep(std::move(seen), limit, now);
  }
}

// --- after a restart

void Observations::start_over(const Now& now) {
  states_.clear();
  rests_.clear();
  explorations_.clear();
  restore(std::exchange(all_, {}), now);
}

void Observations::restore(const std::vector<ledger::Observation>& known, const Now& now) {
  for (const ledger::Observation& seen : known) {
    Project* project = directory_.project(ledger_.name(seen.project));
    const bool lasts = (seen.kind == kOff && now.wall < seen.seen_at + kBelieved) || seen.kind == kCredits;
    if (project == nullptr || (seen.until <= now.wall && !lasts)) {
      ledger_.forget_observation(seen.id);
      continue;
    }
    // The model's limits exist once its lane does.
    Lane& lane = *directory_.lane(project->setup->name, seen.model, "default", now.wall);
    if (seen.kind == kModelName) {
      directory_.rename(*project, seen.model, seen.limit, now, hold_open_);
      all_.push_back(seen);
      states_.push_back({.has_limit = false});
      continue;
    }
    std::optional<LimitId> limit;
    for (const LimitId id : project->limits) {
      if (book_.spec(id).name == seen.limit) limit = id;
    }
    if (!limit && is_gate(seen.limit)) {
      const std::size_t suffix = seen.limit.rfind('/');
      limit = gate(lane, seen.limit.substr(0, suffix), std::string_view(seen.limit).substr(suffix));
    }
    if (!limit && seen.amount > 0) {
      if (auto spec = spec_named(seen.limit)) {
        spec->amount = seen.amount;
        limit = directory_.add_limit(*project, *std::move(spec), hold_open_);
      }
    }
    if (!limit) {
      ledger_.forget_observation(seen.id);
      continue;
    }
    if (is_amount(seen)) {
      book_.observe_amount(*limit, seen.amount);
    } else if (seen.kind != kReopened) {
      book_.exhaust(*limit, std::max(seen.until, now.wall), now);
    }
    if (seen.elsewhere != 0) {
      const SteadyTime at{Micros(seen.id)};
      const Micros guard = seen.kind == kReopened ? Micros(0) : book_.guard(*limit);
      book_.charge_elsewhere(*limit, seen.elsewhere,
                             {at, at + guard, seen.seen_at.time_since_epoch() - at.time_since_epoch()}, now);
    }
    all_.push_back(seen);
    states_.push_back({.limit = *limit});
  }
}

}  // namespace weir::admission
