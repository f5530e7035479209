#include "simulation/engine.hpp"

#include <algorithm>
#include <utility>

#include "provider/error.hpp"

#include "simulation/refusal.hpp"

namespace weir::simulation {
namespace {

using admission::Verdict;

// As often as the daemon looks after leases and its line when nothing else happens.
constexpr Micros kTick = std::chrono::seconds(1);
// The line is not asked again at once, here as there.
constexpr Micros kLeastPause = std::chrono::milliseconds(1);
constexpr Micros kDefaultLease = std::chrono::seconds(120);

Decision decision_of(Verdict verdict) {
  if (verdict == Verdict::admitted) return Decision::admitted;
  return verdict == Verdict::timed_out ? Decision::timed_out : Decision::denied;
}

std::optional<quota::LimitId> longest_in_the_way(std::span<const quota::Violation> violations) {
  const quota::Violation* longest = nullptr;
  for (const quota::Violation& violation : violations) {
    if (violation.never_fits) return violation.limit;
    if (longest == nullptr || violation.retry_at > longest->retry_at) longest = &violation;
  }
  if (longest == nullptr) return std::nullopt;
  return longest->limit;
}

}  // namespace

std::string_view to_string(Decision decision) {
  switch (decision) {
    case Decision::admitted:
      return "admitted";
    case Decision::denied:
      return "denied";
    default:
      return "timed_out";
  }
}

Engine::Engine(const admission::Setup& setup, const catalog::Catalog& catalog, WallTime start,
               const std::optional<UpstreamOptions>& upstream, Sink sink)
    : wall_start_(start),
      start_(start.time_since_epoch()),
      sink_(std::move(sink)),
      service_(setup, catalog, journal_, metrics_) {
  if (upstream) upstream_ = std::make_unique<Upstream>(*upstream);
}

bool Engine::arrive(const Arrival& arrival) {
  advance(arrival.at);
  const admission::Route* route = service_.route(arrival.project, arrival.model, arrival.consumer, now());
  if (route == nullptr) return false;
  admission::Ask ask;
  ask.route = route;
  ask.want.input_tokens = arrival.input_tokens;
  ask.want.output_tokens = arrival.output_tokens;
  ask.priority = arrival.priority;
  ask.lease = std::clamp(arrival.latency + kTick, kDefaultLease, admission::OpenCalls::kMaxLease);
  ask.wait = arrival.wait;

  const Slot slot = keep(arrival);
  if (arrival.wait > Micros(0)) calls_[slot].id = arrival.id;
  const admission::Answer answer = service_.admit(ask, now(), [this, slot](const admission::Answer& later) {
    decide(calls_[slot].id, calls_[slot].at, later);
    if (later.verdict == Verdict::admitted) {
      admitted(slot, later);
    } else {
      free_.push_back(slot);
    }
  });
  if (answer.verdict == Verdict::waiting) return true;
  decide(arrival.id, arrival.at, answer);
  if (answer.verdict == Verdict::admitted) {
    admitted(slot, answer);
  } else {
    free_.push_back(slot);
  }
  return true;
}

Engine::Slot Engine::keep(const Arrival& arrival) {
  if (free_.empty()) {
    free_.push_back(static_cast<Slot>(calls_.size()));
    calls_.emplace_back();
  }
  const Slot slot = free_.back();
  free_.pop_back();
  Call& call = calls_[slot];
  call.at = arrival.at;
  call.latency = arrival.latency;
  call.input_tokens = arrival.input_tokens;
  call.output_tokens = arrival.output_tokens;
  return slot;
}

void Engine::decide(std::string_view id, Micros at, const admission::Answer& answer) {
  Decided decided{.id = id,
                  .decision = decision_of(answer.verdict),
                  .at = at,
                  .decided_at = now_,
                  .limit = {},
                  .verdict = answer.verdict,
                  .call = answer.call};
  if (decided.decision != Decision::admitted) decided.limit = longest_in_the_way(answer.violations);
  sink_(decided);
}

void Engine::admitted(Slot slot, const admission::Answer& answer) {
  Call& call = calls_[slot];
  call.admission = answer.call->id;
  call.lane = answer.call->lane;
  call.admitted = now_;
  if (upstream_) {
    schedule(now_ + upstream_->delay(), slot, true);
  } else {
    schedule(now_ + call.latency, slot, false);
  }
}

void Engine::schedule(Micros at, Slot slot, bool reaches_upstream) {
  events_.push({at, ++last_order_, slot, reaches_upstream});
}

// --- time ---

void Engine::advance(Micros to) {
  while (true) {
    const std::optional<Micros> look = next_look();
    const bool event = !events_.empty() && (!look || events_.top().at <= *look);
    if (!event && !look) break;
    const Micros next = event ? events_.top().at : *look;
    if (next > to) break;
    now_ = next;
    if (!event) {
      look_after();
      continue;
    }
    const Event due = events_.top();
    events_.pop();
    if (due.reaches_upstream) {
      reach(due.slot);
    } else {
      settle(due.slot, 200, std::nullopt);
    }
  }
  now_ = std::max(now_, to);
  // Nothing was open and nobody waited: one look makes up for all that the daemon would have taken.
  if (now_ - looked_at_ >= kTick) look_after();
}

void Engine::look_after() {
  looked_at_ = now_;
  service_.tick(now());
}

std::optional<Micros> Engine::next_look() const {
  if (service_.waiting() == 0 && service_.open_calls() == 0) return std::nullopt;
  Micros next = looked_at_ + kTick;
  if (const auto event = service_.next_event())
    next = std::min(next, std::max(*event - start_, looked_at_ + kLeastPause));
  return next;
}

void Engine::finish() {
  while (!events_.empty() || service_.waiting() > 0) {
    const std::optional<Micros> look = next_look();
    if (events_.empty()) {
      advance(*look);
    } else {
      advance(look ? std::min(events_.top().at, *look) : events_.top().at);
    }
  }
}

// --- the call's way ---

void Engine::reach(Slot slot) {
  Call& call = calls_[slot];
  touched_.clear();
  for (const quota::LimitId id : call.lane->limits) {
    if (const auto limit = upstream_limit(id)) touched_.push_back(*limit);
  }
  const Upstream::Verdict& verdict = upstream_->call(touched_, call.input_tokens, now().wall);
  if (verdict.refused_by.empty()) {
    // An answer does not come before its question.
    schedule(std::max(now_, call.admitted + call.latency), slot, false);
    return;
  }
  std::vector<const quota::LimitSpec*> limits;
  for (const Upstream::Limit limit : verdict.refused_by)
    limits.push_back(&service_.book().spec(book_limits_[limit]));
  settle(slot, 429, provider::error_of(429, refusal_body(limits, verdict.retry_after)));
}

void Engine::settle(Slot slot, int status, std::optional<provider::UpstreamError> error) {
  const Call& call = calls_[slot];
  admission::Settlement settlement;
  settlement.status = status;
  settlement.error = std::move(error);
  settlement.sent_at = wall_start_ + call.admitted;
  if (status == 200) {
    settlement.latency = call.latency;
    settlement.usage = Usage{};
    settlement.usage->input_tokens = call.input_tokens;
    settlement.usage->output_tokens = call.output_tokens;
  }
  const ledger::CallId id = call.admission;
  free_.push_back(slot);
  // SettleVerdict::not_open: it outlived its lease, and keeps its charge.
  service_.settle(id, settlement, now());
}

std::optional<Upstream::Limit> Engine::upstream_limit(quota::LimitId id) {
  if (id >= upstream_known_.size()) {
    upstream_known_.resize(id + 1, false);
    upstream_limits_.resize(id + 1);
  }
  if (!upstream_known_[id]) {
    upstream_known_[id] = true;
    const quota::LimitSpec& spec = service_.book().spec(id);
    if (Upstream::counts(spec)) {
      upstream_limits_[id] = upstream_->add(spec);
      book_limits_.push_back(id);
    }
  }
  return upstream_limits_[id];
}

std::int64_t Engine::refused_upstream(quota::LimitId id) const {
  if (!upstream_ || id >= upstream_limits_.size() || !upstream_limits_[id]) return 0;
  return upstream_->refused_by(*upstream_limits_[id]);
}

}  // namespace weir::simulation
