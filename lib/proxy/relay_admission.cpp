// How a call gets its admission, and how that ends.
#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "proxy/relay.hpp"

namespace weir::proxy {
namespace {

using admission::Verdict;

// For a crash only: while the daemon runs, it keeps its own calls open (Service::keep). Afterwards the call
// counts as held until its lease ends, though it was sent within moments of its admission.
constexpr Micros kLease = std::chrono::seconds(120);
constexpr std::size_t kMaxModelBytes = 200;

bool is_model_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxModelBytes &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace

void Relay::admit(const Amounts& want, const admission::Guess& guess) {
  if (!is_model_name(model_)) {
    return refuse(400, model_.empty()
                           ? "the body names no model"
                           : "the model's name is longer than 200 characters, or not printable ASCII");
  }
  Micros wait = proxy_.setup_.wait;
  if (!wait_text_.empty()) {
    double wait_s = 0;
    const auto [end, problem] =
        std::from_chars(wait_text_.data(), wait_text_.data() + wait_text_.size(), wait_s);
    if (problem != std::errc() || end != wait_text_.data() + wait_text_.size() || !(wait_s >= 0))
      return refuse(400, "X-Weir-Wait must be a number of seconds, 0 or more");
    wait = Micros(std::llround(std::min(wait_s, 1e6) * 1e6));
  }
  const Now now = proxy_.parts_.now();
  want_ = want;
  guess_ = guess;
  patient_until_ = now.steady + std::min(wait, proxy_.parts_.service.setup().max_wait);
  ask(now);
}

// For room, as long as the caller has the patience.
void Relay::ask(const Now& now) {
  admission::Service& service = proxy_.parts_.service;
  admission::Ask ask;
  ask.route = service.route(quota_name(), model_, consumer_, now);
  ask.want = want_;
  ask.guess = guess_;
  ask.lease = kLease;
  ask.wait = std::max(Micros(0), Micros(patient_until_ - now.steady));
  if (ask.route == nullptr) {  // a reload has removed it
    if (held_answer_) return end_with_answer();
    return refuse(404, fmt::format("no project or pool is named \"{}\"", name_));
  }
  const admission::Answer answer =
      service.admit(ask, now, [self = shared_from_this()](const admission::Answer& late) {
        self->guarded([&] {
          self->ticket_ = 0;
          self->decided(late, self->proxy_.parts_.now());
        });
      });
  if (answer.verdict == Verdict::waiting) {
    phase_ = Phase::waiting;
    ticket_ = answer.ticket;
    return;
  }
  decided(answer, now);
}

void Relay::decided(const admission::Answer& answer, const Now& now) {
  admission::Service& service = proxy_.parts_.service;
  if (answer.verdict != Verdict::admitted) {
    if (held_answer_) return end_with_answer();
    return refuse(refusal(operation_.form, answer, now, service));
  }
  phase_ = Phase::committing;
  admission_ = latest_admission_ = answer.call->id;
  service.keep(admission_);
  waited_ += answer.waited;
  auto upstream = proxy_.upstream(answer.lane->project_name);
  if (upstream == nullptr) {  // of a pool that has others
    cancel_admission();
    return refuse(502, fmt::format("project \"{}\" has no base_url", answer.lane->project_name));
  }
  upstream_ = std::move(upstream);
  sent_model_ = model_;
  if (const admission::PoolSetup* pool = proxy_.pool(quota_name())) {
    // The route's lanes are the pool's projects for the model asked for, then for each fallback.
    const std::size_t turn = answer.place / pool->projects.size();
    if (turn > 0) sent_model_ = pool->fallback.at(model_).at(turn - 1);
  }
  proxy_.parts_.ledger.wait(shared_from_this());
  proxy_.flush_soon();
}

void Relay::committed(ledger::Commit result) {
  guarded([&] {
    if (phase_ != Phase::committing) return;  // the client has left
    if (result == ledger::Commit::failed) {
      admission_ = 0;  // the service has taken it back
      if (held_answer_) return end_with_answer();
      return refuse(503, "the ledger cannot be written, and without it nothing may be admitted");
    }
    session_ ? open_session() : send();
  });
}

void Relay::settle(int status, bool partial) {
  if (meter_) meter_->finish();
  if (admission_ == 0) return;
  const Now now = proxy_.parts_.now();
  admission::Settlement settlement;
  settlement.status = status;
  settlement.latency = now.steady - departed_at_;
  settlement.sent_at = sent_at_;
  settlement.partial = partial;
  if (session_) {
    settlement.usage = session_->usage();
    settlement.error = session_->error();
    if (settlement.error) settlement.status = settlement.error->status;
  } else if (meter_) {
    settlement.usage = meter_->usage();
    settlement.error = meter_->error();
    settlement.rate_limits = std::move(rate_limits_);
  }
  proxy_.parts_.service.settle(std::exchange(admission_, 0), settlement, now);
  proxy_.flush_later();
}

void Relay::cancel_admission() {
  if (admission_ == 0) return;
  proxy_.parts_.service.cancel(std::exchange(admission_, 0), proxy_.parts_.now());
  proxy_.flush_later();
}

}  // namespace weir::proxy
