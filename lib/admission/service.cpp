#include "admission/service.hpp"

#include <algorithm>

#include "admission/refusal_text.hpp"

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
      line_(setup_.max_waiting, book_),
      observations_(book_, directory_, ledger_, metrics_,
                    [this](Lane& lane, quota::LimitId limit, int sign) {
                      open_.each([&](const OpenCall& call) {
                        if (call.lane != &lane) return;
                        if (sign > 0) {
                          book_.hold({&limit, 1}, call.held);
                        } else {
                          book_.release({&limit, 1}, call.held);
                        }
                      });
                    }),
      estimates_(setup_.estimate_quantile),
      forecasts_(book_, directory_) {
  ledger_.on_refused([this](const std::vector<ledger::CallId>& ids) { refused(ids); });
  ledger_.on_commit([this](Micros duration, std::size_t) { metrics_.observe_commit(duration); });
}

// --- admission
// -------------------------------------------------------------------------------------------------------

Amounts Service::priced(Lane& lane, Amounts want, const Guess& guess, const Now& now) {
  if (guess.input > 0) want.input_tokens = estimates_.corrected(lane.key, guess.uncertain, guess.input);
  if (guess.output > 0) want.output_tokens = guess.output;
  want = fitting(want, guess, lane.limits, book_);
  Usage estimate;
  estimate.input_tokens = want.input_tokens;
  estimate.output_tokens = want.output_tokens;
  want.cost = directory_.price(lane, now.wall).cost(estimate);
  return fitting(want, guess, lane.limits, book_);
}

bool Service::try_route(const Route& route, const Amounts& want, const Guess& guess, bool in_line,
                        const Now& now, Attempt& attempt) {
  lacks_.clear();
  for (std::size_t place = 0; place < route.lanes.size(); ++place) {
    Lane* lane = route.lanes[place];
    const Amounts priced_want = priced(*lane, want, guess, now);
    book_.violations(lane->limits, priced_want, now, candidate_);
    const bool fits = candidate_.empty();
    if (fits && !(in_line ? line_.blocks(lane->limits) : line_.lacks(lane->limits))) {
      book_.hold(lane->limits, priced_want);
      attempt.lane = lane;
      attempt.place = place;
      return true;
    }
    SteadyTime room_at = now.steady;
    bool may_free = true;  // whatever stands in the way may go at any moment
    if (fits) {
      // There is room, but others wait for it.
      attempt.may_pass = true;
      for (const quota::LimitId id : lane->limits) {
        if (line_.blocks(id)) lacks_.push_back(id);
      }
    }
    for (const quota::Violation& violation : candidate_) {
      lacks_.push_back(violation.limit);
      room_at = violation.never_fits ? SteadyTime::max() : std::max(room_at, violation.retry_at);
      may_free = may_free && violation.may_free && !violation.never_fits;
      if (violation.never_fits) break;
    }
    if (!fits) attempt.again_at = std::min(attempt.again_at, room_at);
    attempt.may_free = attempt.may_free || may_free;
    if (place == 0 || room_at < attempt.room_at) {
      attempt.lane = lane;
      attempt.place = place;
      attempt.room_at = room_at;
      violations_.swap(candidate_);
    }
  }
  return false;
}

SteadyTime Service::room_behind_others(const Ask& ask, Priority priority, const Attempt& attempt,
                                       const Now& now) {
  if (line_.empty() || attempt.room_at == SteadyTime::max()) return attempt.room_at;
  Lane& lane = *attempt.lane;
  const Amounts want = priced(lane, ask.want, ask.guess, now);
  SteadyTime at = attempt.room_at;
  for (const quota::LimitId id : lane.limits) {
    const std::int64_t ahead = line_.ahead(*ask.route, priority, lane, id);
    if (ahead > 0) at = std::max(at, book_.room_at(id, want, ahead, now));
  }
  return at;
}

std::optional<Verdict> Service::shut() const {
  if (open_.size() >= setup_.max_open) return Verdict::too_many_open;
  if (ledger_.admission_outlook() == ledger::Commit::failed) return Verdict::ledger_failing;
  return std::nullopt;
}

Answer Service::admit(const Ask& ask, const Now& now, const std::function<void(const Answer&)>& done) {
  // Room that came since the line was last looked at goes to those who wait.
  if (const auto due = line_.next_event(); due && *due <= now.steady) pump(now);
  if (const auto why = shut()) return refusal(*why, nullptr, now.steady, {}, now);

  Attempt attempt;
  const bool fits = try_route(*ask.route, ask.want, ask.guess, false, now, attempt);
  const bool explores = !fits && !attempt.may_pass && line_.empty() &&
                        observations_.may_explore(*attempt.lane, violations_, now);
  if (fits || explores) {
    const Amounts held = priced(*attempt.lane, ask.want, ask.guess, now);
    if (explores) {
      observations_.explore(violations_, now);
      book_.hold(attempt.lane->limits, held);
    }
    OpenCall* call = open(*attempt.lane, held, ask.guess, ask.lease, Micros(0), {}, now);
    call->explores = explores;
    return {.verdict = Verdict::admitted, .call = call, .lane = attempt.lane, .place = attempt.place};
  }
  const Priority priority = ask.priority.value_or(attempt.lane->priority);
  const SteadyTime retry_at = room_behind_others(ask, priority, attempt, now);
  if (retry_at == SteadyTime::max()) return refusal(Verdict::never_fits, attempt.lane, retry_at, {}, now);
  const bool in_time = attempt.may_free || retry_at <= now.steady + ask.wait;
  const bool waits = ask.wait > Micros(0) && in_time;
  if (waits && line_.full()) {
    count_denial(*attempt.lane, false);
    return refusal(Verdict::line_full, attempt.lane, retry_at, {}, now);
  }
  if (!waits && !attempt.may_pass) return denial(attempt, retry_at, now);

  WaitingCall call{.want = priced(*attempt.lane, ask.want, ask.guess, now),
                   .guess = ask.guess,
                   .lease = ask.lease,
                   .since = now.steady,
                   .deadline = now.steady + ask.wait};
  if (!attempt.may_pass) call.done = done;
  const std::uint64_t ticket = line_.push(*ask.route, priority, attempt.lane->weight, std::move(call));
  if (!attempt.may_pass) {
    line_.lack(*line_.find(ticket), lacks_, attempt.room_at);
    line_changed_();
    return {.verdict = Verdict::waiting, .lane = attempt.lane, .ticket = ticket};
  }
  // There is room: the order decides whether it is this call's.
  round(now);
  if (!waits) line_.remove(ticket);
  tell_results();  // of the others
  if (std::optional<Result> own = take_result(ticket)) {
    violations_ = std::move(own->violations);
    own->answer.violations = violations_;
    return own->answer;
  }
  if (waits) {
    line_.find(ticket)->done = done;
    line_changed_();
    return {.verdict = Verdict::waiting, .lane = attempt.lane, .ticket = ticket};
  }
  if (const auto why = shut()) return refusal(*why, nullptr, now.steady, {}, now);
  attempt = {};
  if (try_route(*ask.route, ask.want, ask.guess, false, now, attempt))
    book_.release(attempt.lane->limits, priced(*attempt.lane, ask.want, ask.guess, now));
  return denial(attempt, retry_at, now);
}

Answer Service::denial(const Attempt& attempt, SteadyTime retry_at, const Now& now) {
  count_denial(*attempt.lane, false);
  return refusal(Verdict::denied, attempt.lane, std::max(retry_at, attempt.room_at), {}, now);
}

Answer Service::refusal(Verdict verdict, Lane* lane, SteadyTime retry_at, Micros waited, const Now& now) {
  Answer answer{.verdict = verdict, .lane = lane, .retry_at = retry_at, .waited = waited};
  if (lane == nullptr) return answer;
  answer.violations = violations_;
  if (witness_ != nullptr) witness_->refused(answer, now);
  return answer;
}

void Service::count_denial(Lane& lane, bool timed_out) {
  if (lane.denied_untold++ == 0) denied_lanes_.push_back(&lane);
  const auto& counters = timed_out ? lane.metrics.timed_out : lane.metrics.denied;
  std::size_t by = lane.limits.size();  // none: others come first, or the line is full
  if (const quota::Violation* last = binding(violations_)) {
    const auto at = std::find(lane.limits.begin(), lane.limits.end(), last->limit);
    by = static_cast<std::size_t>(at - lane.limits.begin());
  }
  counters[by]->add();
}

ledger::CallId Service::next_id(const Now& now) {
  last_id_ = std::max(last_id_ + 1, now.steady.time_since_epoch().count());
  return last_id_;
}

OpenCall* Service::open(Lane& lane, const Amounts& held, const Guess& guess, Micros lease, Micros waited,
                        const Share& share, const Now& now) {
  OpenCall call;
  call.id = next_id(now);
  call.lane = &lane;
  call.held = held;
  call.skew = now.wall.time_since_epoch() - Micros(call.id);
  call.lease = std::clamp(lease, Micros(1), OpenCalls::kMaxLease);
  call.waited = waited;
  call.local_day = lane.project->local_day(now.wall);
  call.share = share;
  call.estimate = guess.input;
  call.uncertain = guess.uncertain;
  open_.insert(call);
  ledger_.append(ledger::Admission{.id = call.id,
                                   .key = lane.key,
                                   .skew_us = call.skew.count(),
                                   .lease_us = call.lease.count(),
                                   .waited_us = waited.count(),
                                   .held = call.held,
                                   .local_day = call.local_day,
                                   .estimate = call.estimate,
                                   .uncertain = call.uncertain});
  lane.metrics.admitted->add();
  if (witness_ != nullptr) witness_->admitted(call);
  return open_.find(call.id);
}

void Service::refused(const std::vector<ledger::CallId>& ids) {
  idempotency_.forget(ids);  // who tries again is to be decided anew
  for (const ledger::CallId id : ids) {
    if (const OpenCall* found = open_.find(id)) {
      const OpenCall call = *found;
      line_.correct(call.share, Amounts{0, 0, 0, 0, 0});
      book_.release(call.lane->limits, call.held);
      open_.erase(id);
      // It found nothing out; the next one may try after the usual pause.
      if (call.explores) observations_.explored(*call.lane, false, {call.admitted(), call.admitted_wall()});
      continue;
    }
    const auto made =
        std::find_if(recorded_.begin(), recorded_.end(), [id](const auto& r) { return r.id == id; });
    if (made != recorded_.end()) take_back_.push_back(made->charge);
  }
}

void Service::take_back(const Now& now) {
  constexpr Amounts none{0, 0, 0, 0, 0};
  for (const Charge& each : std::exchange(take_back_, {})) {
    if (const Lane* lane = directory_.lane(each.key, now.wall))
      charge(*lane, none - each.actual, each.span, now);
  }
}

// --- closing
// ---------------------------------------------------------------------------------------------------------

void Service::tell_closed(const OpenCall& call, const ledger::Outcome& outcome) {
  if (witness_ == nullptr) return;
  ledger::Call record{.admission = {}, .closed = true, .outcome = outcome};
  record.admission.id = call.id;
  record.admission.skew_us = call.skew.count();
  record.admission.lease_us = call.lease.count();
  witness_->closed(*call.lane, record);
}

void Service::charge(const Lane& lane, const Amounts& actual, const quota::Span& span, const Now& now) {
  book_.charge(lane.limits, actual, span, now);
  if (!since_recount_) return;
  since_recount_->too_many = since_recount_->all.size() >= kMaxCharges;
  if (!since_recount_->too_many) since_recount_->all.push_back({lane.key, actual, span});
}

void Service::close(const OpenCall& call, const ledger::Outcome& outcome, const Now& now) {
  Lane& lane = *call.lane;
  line_.correct(call.share, outcome.charged);
  book_.release(lane.limits, call.held);
  if (outcome.state == ledger::State::cancelled) {
    lane.metrics.cancelled->add();
  } else {
    charge(lane, outcome.charged, span_of(call.id, call.skew.count(), outcome), now);
    metrics_.count_call(lane.metrics, lane.project_name, lane.model, lane.consumer, outcome);
    if (outcome.state == ledger::State::expired) lane.metrics.expired->add();
    ledger_.append(ledger::TotalsDelta{.minute = minute_of(call.admitted_wall()),
                                       .local_day = call.local_day,
                                       .key = lane.key,
                                       .totals = totals_of(outcome)});
  }
  ledger_.append(outcome);
  tell_closed(call, outcome);
  const bool explored = call.explores;
  open_.erase(call.id);
  if (explored) {
    observations_.explored(lane, outcome.state == ledger::State::settled && outcome.status < 400, now);
  }
}

Settled Service::settle(ledger::CallId id, const Settlement& settlement, const Now& now) {
  const OpenCall* call = open_.find(id);
  if (call == nullptr) return {.verdict = SettleVerdict::not_open};
  Lane& lane = *call->lane;
  Settled settled{.lane = &lane};
  settled.outcome =
      outcome_of(settlement, *call, directory_.price(lane, now.wall), lane.project->setup->guard, now);
  teach(*call, settlement, settled.outcome);
  close(*call, settled.outcome, now);
  observations_.hear(lane, settlement, SteadyTime(Micros(id)), now);
  if (line_.lacks(lane.limits)) pump(now);
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
                         .local_day = call.admission.local_day,
                         .estimate = call.admission.estimate,
                         .uncertain = call.admission.uncertain};
  settled.outcome =
      outcome_of(settlement, as_open, directory_.price(*lane, now.wall), lane->project->setup->guard, now);
  correct(call, lane, settled.outcome, now);
  teach(as_open, settlement, settled.outcome);
  metrics_.count_call(lane->metrics, lane->project_name, lane->model, lane->consumer, settled.outcome);
  observations_.hear(*lane, settlement, as_open.admitted(), now);
  if (line_.lacks(lane->limits)) pump(now);
  return settled;
}

void Service::correct(const ledger::Call& call, Lane* lane, const ledger::Outcome& outcome, const Now& now) {
  const ledger::CallId id = call.admission.id;
  const Amounts none{0, 0, 0, 0, 0};
  charge(*lane, none - call.outcome.charged, span_of(id, call.admission.skew_us, call.outcome), now);
  charge(*lane, outcome.charged, span_of(id, call.admission.skew_us, outcome), now);
  ledger_.append(ledger::TotalsDelta{.minute = minute_of(call.admitted_at()),
                                     .local_day = call.admission.local_day,
                                     .key = call.admission.key,
                                     .totals = totals_of(outcome) - totals_of(call.outcome)});
  ledger_.append(outcome);
  if (witness_ != nullptr)
    witness_->closed(*lane, {.admission = call.admission, .closed = true, .outcome = outcome});
}

SettleVerdict Service::cancel(ledger::CallId id, const Now& now) {
  const OpenCall* call = open_.find(id);
  if (call == nullptr) return SettleVerdict::not_open;
  const Lane& lane = *call->lane;
  close(*call, cancellation_of(*call, now), now);
  if (line_.lacks(lane.limits)) pump(now);
  return SettleVerdict::settled;
}

SettleVerdict Service::cancel_closed(const ledger::Call& call, const Now& now) {
  if (!call.closed) return SettleVerdict::not_open;
  if (call.outcome.state == ledger::State::cancelled) return SettleVerdict::repeated;
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
  if (line_.lacks(lane->limits)) pump(now);
  return SettleVerdict::settled;
}

Settled Service::record(Lane& lane, WallTime at, const Amounts& estimate, const Settlement& settlement,
                        const Now& now) {
  const Micros guard = lane.project->setup->guard;
  OpenCall call;
  call.id = next_id(now);
  call.lane = &lane;
  call.held = priced(lane, estimate, {}, now);
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
  tell_closed(call, settled.outcome);
  const quota::Span span = span_of(call.id, call.skew.count(), settled.outcome);
  charge(lane, settled.outcome.charged, span, now);
  if (recorded_.size() >= kMaxRecorded) recorded_.pop_front();
  recorded_.push_back({call.id, {lane.key, settled.outcome.charged, span}});
  metrics_.count_call(lane.metrics, lane.project_name, lane.model, lane.consumer, settled.outcome);
  observations_.hear(lane, settlement, now.steady_at(at), now);
  return settled;
}

void Service::teach(const OpenCall& call, const Settlement& settlement, const ledger::Outcome& outcome) {
  const std::int64_t actual = outcome.charged.input_tokens;
  if (call.estimate == 0 || !settlement.usage || actual == 0) return;
  estimates_.learn(call.lane->key, call.uncertain, call.estimate, actual);
  call.lane->metrics.estimate_error->observe(
      static_cast<double>(actual) / static_cast<double>(std::max<std::int64_t>(call.held.input_tokens, 1)));
}

// --- waiting, time
// ---------------------------------------------------------------------------------------------------

void Service::abandon(std::uint64_t ticket) {
  if (const auto late = take_result(ticket)) {
    // Its turn came, and it was not told: nobody has sent it.
    if (const OpenCall* call = late->answer.call)
      cancel(call->id, {.steady = call->admitted(), .wall = call->admitted_wall()});
    return;
  }
  if (!line_.remove(ticket) || line_.empty()) return;
  line_.look_again();
  line_changed_();
}

void Service::pump(const Now& now) {
  round(now);
  tell_results();
  if (!line_.empty()) line_changed_();
}

void Service::round(const Now& now) {
  line_.begin_round();
  while (!shut()) {
    WaitingCall* waiting = line_.next();
    if (waiting == nullptr) break;
    Attempt attempt;
    const Micros waited = now.steady - waiting->since;
    if (try_route(*waiting->flow->route, waiting->want, waiting->guess, true, now, attempt)) {
      const Amounts held = priced(*attempt.lane, waiting->want, waiting->guess, now);
      const Share share = line_.charge(*waiting->flow, *attempt.lane, held);
      WaitingCall in = line_.admitted(*waiting, *attempt.lane);
      const OpenCall* call = open(*attempt.lane, held, in.guess, in.lease, waited, share, now);
      if (waited > Micros(0)) metrics_.observe_wait(waited);
      results_.push_back({.ticket = in.ticket,
                          .answer = {.verdict = Verdict::admitted,
                                     .call = call,
                                     .lane = attempt.lane,
                                     .place = attempt.place,
                                     .waited = waited},
                          .done = std::move(in.done)});
    } else if (waited > Micros(0) && (now.steady >= waiting->deadline ||
                                      (attempt.room_at > waiting->deadline && !attempt.may_free))) {
      // Its moment has moved beyond its patience: better told now than later.
      time_out(waiting->ticket, attempt, now);
    } else {
      line_.stuck(*waiting, lacks_, std::max(attempt.again_at, now.steady + std::chrono::milliseconds(1)));
    }
  }
  if (shut()) line_.break_off();
  std::vector<std::uint64_t> overdue;
  line_.overdue(now.steady, overdue);
  for (const std::uint64_t ticket : overdue) {
    const WaitingCall* waiting = line_.find(ticket);
    if (waiting->since == now.steady) continue;
    if (const auto why = shut()) {
      dismiss(ticket, *why, nullptr, now.steady, now);
      continue;
    }
    Attempt attempt;
    // Not tried this time: it stands behind others.
    if (try_route(*waiting->flow->route, waiting->want, waiting->guess, true, now, attempt)) {
      book_.release(attempt.lane->limits, priced(*attempt.lane, waiting->want, waiting->guess, now));
      attempt.room_at = now.steady;
      violations_.clear();
    }
    time_out(ticket, attempt, now);
  }
}

void Service::tell_results() {
  if (telling_) return;  // an answer led here: who tells goes on
  telling_ = true;
  const auto next = [this] {
    return std::find_if(results_.begin(), results_.end(), [](const Result& each) { return bool(each.done); });
  };
  for (auto at = next(); at != results_.end(); at = next()) {
    Result result = std::move(*at);
    results_.erase(at);
    result.answer.violations = result.violations;
    result.done(result.answer);
  }
  telling_ = false;
}

std::optional<Service::Result> Service::take_result(std::uint64_t ticket) {
  const auto at = std::find_if(results_.begin(), results_.end(),
                               [ticket](const Result& each) { return each.ticket == ticket; });
  if (at == results_.end()) return std::nullopt;
  std::optional<Result> result = std::move(*at);
  results_.erase(at);
  return result;
}

void Service::time_out(std::uint64_t ticket, const Attempt& attempt, const Now& now) {
  count_denial(*attempt.lane, true);
  // A new configuration may allow less than the call wants.
  const Verdict verdict = attempt.room_at == SteadyTime::max() ? Verdict::never_fits : Verdict::timed_out;
  dismiss(ticket, verdict, attempt.lane, attempt.room_at, now);
}

void Service::dismiss(std::uint64_t ticket, Verdict verdict, Lane* lane, SteadyTime retry_at,
                      const Now& now) {
  WaitingCall out = *line_.remove(ticket);
  line_.look_again();
  const Answer answer = refusal(verdict, lane, retry_at, now.steady - out.since, now);
  results_.push_back({.ticket = ticket,
                      .answer = answer,
                      .violations = {answer.violations.begin(), answer.violations.end()},
                      .done = std::move(out.done)});
}

void Service::dismiss_waiting(const Now& now) {
  estimates_.tell(ledger_, now.steady, Estimates::Tell::all);
  for (const std::uint64_t ticket : line_.tickets()) {
    Attempt attempt;
    attempt.lane = line_.find(ticket)->flow->route->lanes.front();
    attempt.room_at = now.steady;
    violations_.clear();
    time_out(ticket, attempt, now);
  }
  tell_results();
}

void Service::expire(const Now& now) {
  if (due_.empty()) {
    open_.expired(now.steady, ledger_.decided_up_to(), due_);
    std::reverse(due_.begin(), due_.end());
  }
  for (std::size_t left = kExpireAtOnce; left > 0 && !due_.empty(); --left) {
    const OpenCall* found = open_.find(due_.back());
    due_.pop_back();
    if (found == nullptr) continue;  // settled after all
    const OpenCall call = *found;
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
  take_back(now);
  expire(now);
  tell_denials(now);
  observations_.tick(now);
  forecasts_.tick(now);
  estimates_.tell(ledger_, now.steady, Estimates::Tell::some);
  if (!line_.empty()) pump(now);
  // Calls before this one are all closed. Told only when it has moved: an idle daemon writes nothing.
  const ledger::CallId oldest = open_.size() > 0 ? open_.oldest() : last_id_ + 1;
  if (oldest != told_oldest_) ledger_.store_oldest_open(told_oldest_ = oldest);
  ledger_.flush();
}

void Service::refresh_gauges(const Now& now) {
  metrics_.clear_exhaustions();
  for (quota::LimitId id = 0; id < book_.size(); ++id) {
    const quota::LimitSpec& spec = book_.spec(id);
    const quota::LimitView view = book_.view(id, now);
    metrics_.set_limit(id, view, spec.metric == Metric::cost_usd ? 1e-9 : 1);
    const auto exhausts_at = spec.gate ? std::nullopt : forecasts_.forecast(id, view, now).exhausts_at;
    if (exhausts_at) metrics_.set_exhaustion(directory_.owner(id).setup->name, spec, *exhausts_at);
  }
  for (Project& project : directory_.projects()) {
    for (const auto& [priority, name] :
         {std::pair{Priority::high, "high"}, std::pair{Priority::normal, "normal"},
          std::pair{Priority::low, "low"}}) {
      metrics_.set_waiting(project.setup->name, name, line_.waiting(project, priority));
    }
  }
  metrics_.set_ledger(ledger_.health());
}

}  // namespace weir::admission
