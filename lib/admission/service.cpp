#include "admission/service.hpp"

#include <algorithm>

namespace weir::admission {
namespace {

std::int64_t minute_of(WallTime at) {
  return std::chrono::floor<std::chrono::minutes>(at.time_since_epoch()).count();
}

}  // namespace

Service::Service(const Setup& setup, const catalog::Catalog& catalog, ledger::Journal& ledger,
                 telemetry::Registry& registry)
    : setup_(setup),
      catalog_(catalog),
      ledger_(ledger),
      metrics_(registry),
      directory_(setup_, catalog_, book_, ledger_, metrics_),
      line_(setup_.max_waiting),
      observations_(book_, ledger_, metrics_) {
  ledger_.on_refused([this](const std::vector<ledger::CallId>& ids) { refused(ids); });
  ledger_.on_commit([this](Micros duration, std::size_t) { metrics_.observe_commit(duration); });
}

// --- admission
// -------------------------------------------------------------------------------------------------------

Amounts Service::priced(Lane& lane, Amounts want, const Now& now) {
  Usage estimate;
  estimate.input_tokens = want.input_tokens;
  estimate.output_tokens = want.output_tokens;
  want.cost = directory_.price(lane, now.wall).cost(estimate);
  return want;
}

bool Service::try_route(const Route& route, const Amounts& want, const Now& now, Lane*& lane,
                        SteadyTime& retry_at) {
  bool first = true;
  for (Lane* candidate : route.lanes) {
    const Amounts priced_want = priced(*candidate, want, now);
    if (!line_.blocks(candidate->limits) &&
        book_.try_admit(candidate->limits, priced_want, now, candidate_)) {
      lane = candidate;
      return true;
    }
    SteadyTime feasible = now.steady;
    if (line_.blocks(candidate->limits)) {
      // Whether or not there is room: those in line come first.
      book_.violations(candidate->limits, priced_want, now, candidate_);
      feasible = std::max(feasible, line_.next_event().value_or(now.steady));
    }
    for (const quota::Violation& violation : candidate_) {
      feasible = violation.never_fits ? SteadyTime::max() : std::max(feasible, violation.retry_at);
      if (violation.never_fits) break;
    }
    if (first || feasible < retry_at) {
      lane = candidate;
      retry_at = feasible;
      violations_.swap(candidate_);
    }
    first = false;
  }
  return false;
}

Answer Service::admit(const Ask& ask, const Now& now, const std::function<void(const Answer&)>& done) {
  if (open_.size() >= setup_.max_open) return refusal(Verdict::too_many_open, nullptr, now.steady, {});
  if (ledger_.admission_outlook() == ledger::Commit::failed) {
    return refusal(Verdict::ledger_failing, nullptr, now.steady, {});
  }
  Lane* lane = nullptr;
  SteadyTime retry_at = now.steady;
  if (try_route(*ask.route, ask.want, now, lane, retry_at)) {
    Answer answer{.verdict = Verdict::admitted, .lane = lane};
    answer.call = open(*lane, priced(*lane, ask.want, now), ask.lease, Micros(0), now);
    return answer;
  }
  if (retry_at == SteadyTime::max()) return refusal(Verdict::never_fits, lane, retry_at, {});
  if (ask.wait > Micros(0) && retry_at <= now.steady + ask.wait) {
    if (line_.full()) return refusal(Verdict::line_full, lane, retry_at, {});
    for (const quota::Violation& violation : violations_) line_.block(violation.limit);
    Answer answer{.verdict = Verdict::waiting, .lane = lane};
    answer.ticket = line_.push({.route = ask.route,
                                .want = ask.want,
                                .priority = ask.priority.value_or(lane->priority),
                                .lease = ask.lease,
                                .since = now.steady,
                                .deadline = now.steady + ask.wait,
                                .retry_at = retry_at,
                                .done = done});
    return answer;
  }
  count_denial(*lane, false);
  return refusal(Verdict::denied, lane, retry_at, {});
}

Answer Service::refusal(Verdict verdict, Lane* lane, SteadyTime retry_at, Micros waited) {
  Answer answer{.verdict = verdict, .lane = lane, .retry_at = retry_at, .waited = waited};
  if (lane != nullptr) answer.violations = violations_;
  return answer;
}

void Service::count_denial(Lane& lane, bool timed_out) {
  if (lane.denied_untold++ == 0) denied_lanes_.push_back(&lane);
  if (violations_.empty()) return;
  const auto at = std::find(lane.limits.begin(), lane.limits.end(), violations_.front().limit);
  const auto& counters = timed_out ? lane.metrics.timed_out : lane.metrics.denied;
  counters[static_cast<std::size_t>(at - lane.limits.begin())]->add();
}

ledger::CallId Service::next_id(const Now& now) {
  last_id_ = std::max(last_id_ + 1, now.steady.time_since_epoch().count());
  return last_id_;
}

const OpenCall* Service::open(Lane& lane, const Amounts& held, Micros lease, Micros waited, const Now& now) {
  OpenCall call;
  call.id = next_id(now);
  call.lane = &lane;
  call.held = held;
  call.skew = now.wall.time_since_epoch() - Micros(call.id);
  call.lease = std::clamp(lease, Micros(1), OpenCalls::kMaxLease);
  call.waited = waited;
  call.local_day = lane.project->local_day(now.wall);
  open_.insert(call);
  ledger_.append(ledger::Admission{.id = call.id,
                                   .key = lane.key,
                                   .skew_us = call.skew.count(),
                                   .lease_us = call.lease.count(),
                                   .waited_us = waited.count(),
                                   .held = held,
                                   .local_day = call.local_day});
  lane.metrics.admitted->add();
  return open_.find(call.id);
}

void Service::refused(const std::vector<ledger::CallId>& ids) {
  for (const ledger::CallId id : ids) {
    const OpenCall* call = open_.find(id);
    if (call == nullptr) continue;
    book_.release(call->lane->limits, call->held);
    open_.erase(id);
  }
}

// --- closing
// ---------------------------------------------------------------------------------------------------------

void Service::close(const OpenCall& call, const ledger::Outcome& outcome, const Now& now) {
  Lane& lane = *call.lane;
  if (outcome.state == ledger::State::cancelled) {
    book_.release(lane.limits, call.held);
    lane.metrics.cancelled->add();
  } else {
    book_.settle(lane.limits, call.held, outcome.charged, span_of(call.id, call.skew.count(), outcome), now);
    metrics_.count_call(lane.metrics, lane.project_name, lane.model, lane.consumer, outcome);
    if (outcome.state == ledger::State::expired) lane.metrics.expired->add();
    ledger_.append(ledger::TotalsDelta{.minute = minute_of(call.admitted_wall()),
                                       .local_day = call.local_day,
                                       .key = lane.key,
                                       .totals = totals_of(outcome)});
  }
  ledger_.append(outcome);
  open_.erase(call.id);
}

Settled Service::settle(ledger::CallId id, const Settlement& settlement, const Now& now) {
  const OpenCall* call = open_.find(id);
  if (call == nullptr) return {.verdict = SettleVerdict::not_open};
  Lane& lane = *call->lane;
  Settled settled{.lane = &lane};
  settled.outcome =
      outcome_of(settlement, *call, directory_.price(lane, now.wall), lane.project->setup->guard, now);
  close(*call, settled.outcome, now);
  learn(&lane, settlement, now);
  if (!line_.empty()) pump(now);
  return settled;
}

Settled Service::settle_closed(const ledger::Call& call, const Settlement& settlement, const Now& now) {
  Lane* lane = directory_.lane(call.admission.key, now.wall);
  Settled settled{.lane = lane, .outcome = call.outcome};
  if (!call.closed) {
    settled.verdict = SettleVerdict::not_open;  // of a project that is not configured any more
    return settled;
  }
  switch (call.outcome.state) {
    case ledger::State::cancelled:
      settled.verdict = SettleVerdict::gone;
      return settled;
    case ledger::State::expired:
      break;
    default:
      settled.verdict = call.outcome.fingerprint == fingerprint(settlement) ? SettleVerdict::repeated
                                                                            : SettleVerdict::contradicted;
      return settled;
  }
  if (lane == nullptr) {
    settled.verdict = SettleVerdict::gone;
    return settled;
  }
  const OpenCall as_open{.id = call.admission.id,
                         .lane = lane,
                         .held = call.admission.held,
                         .skew = Micros(call.admission.skew_us),
                         .lease = Micros(call.admission.lease_us),
                         .waited = Micros(call.admission.waited_us),
                         .local_day = call.admission.local_day};
  settled.outcome =
      outcome_of(settlement, as_open, directory_.price(*lane, now.wall), lane->project->setup->guard, now);
  correct(call, lane, settled.outcome, now);
  metrics_.count_call(lane->metrics, lane->project_name, lane->model, lane->consumer, settled.outcome);
  learn(lane, settlement, now);
  if (!line_.empty()) pump(now);
  return settled;
}

void Service::correct(const ledger::Call& call, Lane* lane, const ledger::Outcome& outcome, const Now& now) {
  const ledger::CallId id = call.admission.id;
  const Amounts none{0, 0, 0, 0, 0};
  book_.charge(lane->limits, none - call.outcome.charged, span_of(id, call.admission.skew_us, call.outcome),
               now);
  book_.charge(lane->limits, outcome.charged, span_of(id, call.admission.skew_us, outcome), now);
  ledger_.append(ledger::TotalsDelta{.minute = minute_of(call.admitted_at()),
                                     .local_day = call.admission.local_day,
                                     .key = call.admission.key,
                                     .totals = totals_of(outcome) - totals_of(call.outcome)});
  ledger_.append(outcome);
}

SettleVerdict Service::cancel(ledger::CallId id, const Now& now) {
  const OpenCall* call = open_.find(id);
  if (call == nullptr) return SettleVerdict::not_open;
  const ledger::Outcome outcome = cancellation_of(*call, now);
  close(*call, outcome, now);
  if (!line_.empty()) pump(now);
  return SettleVerdict::settled;
}

SettleVerdict Service::cancel_closed(const ledger::Call& call, const Now& now) {
  if (!call.closed) return SettleVerdict::not_open;
  if (call.outcome.state == ledger::State::cancelled) return SettleVerdict::gone;
  if (call.outcome.state == ledger::State::settled) return SettleVerdict::contradicted;
  Lane* lane = directory_.lane(call.admission.key, now.wall);
  if (lane == nullptr) return SettleVerdict::gone;
  ledger::Outcome outcome = call.outcome;
  outcome.state = ledger::State::cancelled;
  outcome.charged = Amounts{0, 0, 0, 0, 0};
  outcome.estimated = false;
  outcome.straddles = false;
  correct(call, lane, outcome, now);
  lane->metrics.cancelled->add();
  if (!line_.empty()) pump(now);
  return SettleVerdict::settled;
}

Settled Service::record(Lane& lane, WallTime at, const Amounts& estimate, const Settlement& settlement,
                        const Now& now) {
  const Micros guard = lane.project->setup->guard;
  OpenCall call;
  call.id = next_id(now);
  call.lane = &lane;
  call.held = priced(lane, estimate, now);
  call.skew = at.time_since_epoch() - Micros(call.id);
  call.local_day = lane.project->zone.local_day(at);

  Settled settled{.lane = &lane};
  settled.outcome = outcome_of(settlement, call, directory_.price(lane, now.wall), guard, now);
  // It was sent at `at`, so it ages from there, which lies before its own record.
  settled.outcome.span_us = (now.steady_at(at) + guard - call.admitted()).count();
  settled.outcome.straddles = straddles(span_of(call.id, call.skew.count(), settled.outcome), guard);

  ledger_.append(ledger::Admission{.id = call.id,
                                   .key = lane.key,
                                   .skew_us = call.skew.count(),
                                   .held = call.held,
                                   .local_day = call.local_day});
  ledger_.append(ledger::TotalsDelta{.minute = minute_of(at),
                                     .local_day = call.local_day,
                                     .key = lane.key,
                                     .totals = totals_of(settled.outcome),
                                     .call = call.id});
  ledger_.append(settled.outcome);
  book_.charge(lane.limits, settled.outcome.charged, span_of(call.id, call.skew.count(), settled.outcome),
               now);
  metrics_.count_call(lane.metrics, lane.project_name, lane.model, lane.consumer, settled.outcome);
  learn(&lane, settlement, now);
  return settled;
}

void Service::learn(const Lane* lane, const Settlement& settlement, const Now& now) {
  if (settlement.error) observations_.learn(*const_cast<Lane*>(lane), *settlement.error, now);
}

// --- waiting, time
// ---------------------------------------------------------------------------------------------------

void Service::abandon(std::uint64_t ticket) {
  line_.remove(ticket);
}

void Service::pump(const Now& now) {
  if (pumping_) return;  // an answer below led to a settlement: the round under way sees what it freed
  pumping_ = true;
  line_.begin_round();
  std::uint64_t next = 0;
  // By ticket, not by iterator: answering may let others leave the line.
  while (WaitingCall* waiting = line_.at_or_after(next)) {
    next = waiting->ticket + 1;
    Lane* lane = nullptr;
    SteadyTime retry_at = now.steady;
    const Micros waited = now.steady - waiting->since;
    if (try_route(*waiting->route, waiting->want, now, lane, retry_at)) {
      Answer answer{.verdict = Verdict::admitted, .lane = lane, .waited = waited};
      answer.call = open(*lane, priced(*lane, waiting->want, now), waiting->lease, waited, now);
      metrics_.observe_wait(waited);
      const auto done = std::move(waiting->done);
      line_.remove(waiting->ticket);
      done(answer);
      continue;
    }
    for (const quota::Violation& violation : violations_) line_.block(violation.limit);
    if (now.steady >= waiting->deadline || retry_at > waiting->deadline) {
      // Its moment has moved beyond its patience: better told now than later.
      count_denial(*lane, true);
      const auto done = std::move(waiting->done);
      line_.remove(waiting->ticket);
      done(refusal(Verdict::timed_out, lane, retry_at, waited));
      continue;
    }
    waiting->retry_at = std::max(retry_at, now.steady + std::chrono::milliseconds(1));
  }
  pumping_ = false;
}

void Service::dismiss_waiting(const Now& now) {
  for (WaitingCall& waiting : line_.calls()) waiting.deadline = now.steady;
  if (!line_.empty()) pump(now);
}

void Service::expire(const Now& now) {
  due_.clear();
  open_.expired(now.steady, due_);
  for (const ledger::CallId id : due_) {
    const OpenCall call = *open_.find(id);
    close(call, expiry_of(call, call.lane->project->setup->guard), now);
  }
}

void Service::tell_denials(const Now& now) {
  for (Lane* lane : denied_lanes_) {
    ledger::TotalsDelta delta{.minute = minute_of(now.wall),
                              .local_day = lane->project->local_day(now.wall),
                              .key = lane->key,
                              .totals = {}};
    delta.totals.denied = lane->denied_untold;
    ledger_.append(delta);
    lane->denied_untold = 0;
  }
  denied_lanes_.clear();
}

void Service::tick(const Now& now) {
  expire(now);
  tell_denials(now);
  observations_.drop_ended(now);
  if (!line_.empty()) pump(now);
  // Calls before this one are all closed. Told only when it has moved: an idle daemon writes nothing.
  const ledger::CallId oldest = open_.size() > 0 ? open_.oldest() : last_id_ + 1;
  if (oldest != told_oldest_) ledger_.store_oldest_open(told_oldest_ = oldest);
  ledger_.flush();
}

void Service::refresh_gauges(const Now& now) {
  for (quota::LimitId id = 0; id < book_.size(); ++id) {
    const double unit = book_.spec(id).metric == Metric::cost_usd ? 1e-9 : 1;
    metrics_.set_limit(id, book_.view(id, now), unit);
  }
  for (Project& project : directory_.projects()) {
    for (const auto& [priority, name] :
         {std::pair{Priority::high, "high"}, std::pair{Priority::normal, "normal"},
          std::pair{Priority::low, "low"}}) {
      const auto waits =
          std::count_if(line_.calls().begin(), line_.calls().end(), [&, p = priority](const auto& call) {
            return call.priority == p && call.route->lanes.front()->project == &project;
          });
      metrics_.set_waiting(project.setup->name, name, static_cast<std::size_t>(waits));
    }
  }
  metrics_.set_ledger(ledger_.health());
}

}  // namespace weir::admission
