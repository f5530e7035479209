#include "admission/settlement.hpp"

#include <algorithm>

namespace weir::admission {
namespace {

constexpr std::uint64_t kFnvPrime = 0x100000001b3;

void mix(std::uint64_t& hash, std::int64_t value) {
  for (int i = 0; i < 8; ++i)
    hash = (hash ^ ((static_cast<std::uint64_t>(value) >> (8 * i)) & 0xff)) * kFnvPrime;
}

// Every zone's midnight lies on a quarter of an hour in UTC, so a span inside one quarter lies inside one day
// everywhere.
std::int64_t quarter_of(WallTime at) {
  return std::chrono::floor<std::chrono::duration<std::int64_t, std::ratio<900>>>(at.time_since_epoch())
      .count();
}

}  // namespace

std::uint64_t fingerprint(const Settlement& settlement) {
  std::uint64_t hash = 0xcbf29ce484222325;
  mix(hash, settlement.status);
  mix(hash, settlement.usage.has_value());
  const Usage usage = settlement.usage.value_or(Usage{});
  for (const std::int64_t value : {usage.input_tokens, usage.cached_input_tokens, usage.output_tokens,
                                   usage.thoughts_tokens, usage.tool_use_tokens, usage.images}) {
    mix(hash, value);
  }
  mix(hash, settlement.latency.count());
  mix(hash, settlement.sent_at ? settlement.sent_at->time_since_epoch().count() : -1);
  if (settlement.partial) mix(hash, 1);
  return hash >> 1;  // the ledger's integers are signed
}

SteadyTime latest_moment(const Settlement& settlement, SteadyTime admitted, Micros guard, const Now& now) {
  if (!settlement.sent_at) return std::max(admitted, now.steady) + guard;
  // A caller's clock may be wrong: it cannot have sent before the admission, nor after telling us.
  const SteadyTime sent = now.steady_at(*settlement.sent_at);
  return std::clamp(sent, admitted, std::max(admitted, now.steady)) + guard;
}

Amounts charge_of(const Settlement& settlement, const Amounts& held, NanoUsd cost) {
  if (settlement.usage) {
    const Usage& usage = *settlement.usage;
    const bool images_known = usage.images > 0 || settlement.status >= 400;
    return {held.requests, usage.input_tokens + usage.tool_use_tokens,
            usage.output_tokens + usage.thoughts_tokens, images_known ? usage.images : held.images, cost};
  }
  Amounts charged = held;
  if (settlement.partial) return charged;
  if (settlement.status >= 400) {
    charged.cost = 0;
    charged.images = 0;
    charged.output_tokens = 0;
  }
  if (settlement.status >= 500) charged.input_tokens = 0;
  return charged;
}

ledger::Outcome outcome_of(const Settlement& settlement, const OpenCall& call, const catalog::Price& price,
                           Micros guard, const Now& now) {
  ledger::Outcome outcome;
  outcome.id = call.id;
  outcome.state = ledger::State::settled;
  outcome.span_us = (latest_moment(settlement, call.admitted(), guard, now) - call.admitted()).count();
  outcome.settled_us = (now.wall - call.admitted_wall()).count();
  outcome.latency_us = settlement.latency.count() < 0 ? -1 : settlement.latency.count();
  outcome.status = settlement.status;
  outcome.usage = settlement.usage.value_or(Usage{});
  outcome.cost = settlement.usage ? price.cost(*settlement.usage) : 0;
  outcome.charged = charge_of(settlement, call.held, outcome.cost);
  outcome.estimated = settlement.partial ||
                      (!settlement.usage && outcome.charged.input_tokens + outcome.charged.output_tokens > 0);
  outcome.straddles = straddles(span_of(call.id, call.skew.count(), outcome), guard);
  outcome.fingerprint = fingerprint(settlement);
  return outcome;
}

ledger::Outcome expiry_of(const OpenCall& call, Micros guard) {
  ledger::Outcome outcome;
  outcome.id = call.id;
  outcome.state = ledger::State::expired;
  outcome.span_us = (call.lease + guard).count();
  outcome.settled_us = call.lease.count();
  outcome.charged = call.held;
  outcome.estimated = true;
  outcome.straddles = straddles(span_of(call.id, call.skew.count(), outcome), guard);
  return outcome;
}

ledger::Outcome cancellation_of(const OpenCall& call, const Now& now) {
  ledger::Outcome outcome;
  outcome.id = call.id;
  outcome.state = ledger::State::cancelled;
  outcome.settled_us = (now.wall - call.admitted_wall()).count();
  outcome.charged = Amounts{0, 0, 0, 0, 0};
  return outcome;
}

quota::Span span_of(ledger::CallId id, std::int64_t skew_us, const ledger::Outcome& outcome) {
  const SteadyTime admitted{Micros(id)};
  return {admitted, admitted + Micros(outcome.span_us), Micros(skew_us)};
}

bool straddles(const quota::Span& span, Micros guard) {
  const SteadyTime to = std::max(span.admitted, span.latest);
  return to - span.admitted > kLongSpan ||
         quarter_of(span.wall(span.admitted) - guard) != quarter_of(span.wall(to) + guard);
}

ledger::Totals totals_of(const ledger::Outcome& outcome) {
  ledger::Totals totals;
  if (outcome.state == ledger::State::cancelled || outcome.state == ledger::State::open) return totals;
  totals.calls = 1;
  totals.expired = outcome.state == ledger::State::expired ? 1 : 0;
  totals.errors = outcome.status >= 400 ? 1 : 0;
  totals.usage = outcome.usage;
  totals.cost = outcome.cost;
  totals.charged = outcome.charged;
  return totals;
}

ledger::Totals operator-(const ledger::Totals& a, const ledger::Totals& b) {
  ledger::Totals d;
  d.calls = a.calls - b.calls;
  d.errors = a.errors - b.errors;
  d.denied = a.denied - b.denied;
  d.expired = a.expired - b.expired;
  d.usage = {a.usage.input_tokens - b.usage.input_tokens,
             a.usage.cached_input_tokens - b.usage.cached_input_tokens,
             a.usage.output_tokens - b.usage.output_tokens,
             a.usage.thoughts_tokens - b.usage.thoughts_tokens,
             a.usage.tool_use_tokens - b.usage.tool_use_tokens,
             a.usage.images - b.usage.images};
  d.cost = a.cost - b.cost;
  d.charged = a.charged - b.charged;
  return d;
}

}  // namespace weir::admission
