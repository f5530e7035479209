// Further attempts at a call that upstream refused. What it refused is settled by its own answer, from which
// the service learns; then the call is asked for anew, so that it waits in line for what was learned: a quota
// that is used up, a cool-down.
#include <algorithm>
#include <utility>

#include "proxy/relay.hpp"

namespace weir::proxy {
namespace {

constexpr std::size_t kMaxHeldAnswer = 64 * 1024;  // a larger one is no refusal that we know
constexpr Micros kFirstPause = std::chrono::seconds(1);

// Whether waiting may change the answer.
bool passes(const provider::UpstreamError& error) {
  using provider::ErrorKind;
  switch (error.kind) {
    case ErrorKind::quota:
    case ErrorKind::unnamed_429:
    case ErrorKind::spend:
    case ErrorKind::overloaded:
      return true;
    default:
      return false;
  }
}

}  // namespace

bool Relay::may_retry(int status) const {
  return (status == 429 || status == 503) && operation_.metered && !operation_.session && !oversize_ &&
         trailers_.empty() && call_->request_sent() && retries_ < proxy_.setup_.retries &&
         proxy_.parts_.now().steady < patient_until_;
}

void Relay::hold_answer(const upstream::AnswerHead& head, AnswerLines lines) {
  phase_ = Phase::refused;
  body_ = call_->take_body();
  held_answer_ = HeldAnswer{.reason = std::string(head.reason),
                            .lines = std::move(lines),
                            .content_length = head.content_length,
                            .body = {}};
}

void Relay::hold_body(std::string_view bytes) {
  held_answer_->body += bytes;
  if (held_answer_->body.size() > kMaxHeldAnswer) give_answer(false);
}

void Relay::give_answer(bool whole) {
  release();
  HeldAnswer held = std::move(*std::exchange(held_answer_, std::nullopt));
  phase_ = Phase::answering;
  append_weir_lines(held.lines.text);
  exchange_->begin({.status = status_,
                    .reason = held.reason,
                    .headers = held.lines.text,
                    .content_length = whole ? held.body.size() : held.content_length,
                    .has_date = held.lines.has_date,
                    .has_request_id = held.lines.has_request_id});
  exchange_->push(held.body);
}

void Relay::end_with_answer() {
  give_answer(true);
  exchange_->end();
  finish();
}

void Relay::refused_whole() {
  call_ = nullptr;
  meter_->finish();
  const auto error = meter_->error();
  settle(status_, false);
  const Now now = proxy_.parts_.now();
  const Micros left = patient_until_ - now.steady;
  const Micros hint = error ? error->retry_after.value_or(Micros(0)) : Micros(0);
  // In a pool another project may have room at once.
  const bool elsewhere = status_ == 429 && proxy_.pool(name_) != nullptr;
  const Micros pause =
      elsewhere ? Micros(0) : std::max(kFirstPause * (1 << retries_), status_ == 503 ? hint : Micros(0));
  if (!error || !passes(*error) || pause >= left || (!elsewhere && hint >= left)) return end_with_answer();
  proxy_.metrics_.retries(status_).add(1);
  ++retries_;
  waited_ += pause;
  phase_ = Phase::pausing;
  pause_.emplace(proxy_.parts_.loop.get_executor());
  pause_->expires_after(pause);
  pause_->async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
    if (ec || self->phase_ != Phase::pausing) return;
    self->guarded([&] {
      self->sent_at_.reset();
      self->meter_.reset();
      self->rate_limits_.clear();
      self->ask(self->proxy_.parts_.now());
    });
  });
}

}  // namespace weir::proxy
