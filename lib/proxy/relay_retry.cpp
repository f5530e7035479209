// Answers of 4xx and 5xx. They are held until they are whole, up to 64 KiB, so that the project's key, which
// some quote ("Consumer 'api_key:…' has been suspended"), does not reach a caller who is not to have it.
//
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

bool blank_out(std::string& text, std::string_view secret) {
  if (secret.empty()) return false;
  bool found = false;
  for (auto at = text.find(secret); at != std::string::npos; at = text.find(secret, at + secret.size())) {
    text.replace(at, secret.size(), secret.size(), '*');
    found = true;
  }
  return found;
}

}  // namespace

bool Relay::may_retry(int status) const {
  return (status == 429 || status == 503) && operation_.metered && !operation_.session && !oversize_ &&
         trailers_.empty() && call_->request_sent() && retries_ < proxy_.setup_.retries &&
         proxy_.parts_.now().steady < patient_until_;
}

bool Relay::may_quote_key(int status) const {
  return status >= 400 && !to_head_ && !upstream_->api_key.empty();
}

void Relay::hide_key() {
  const std::string& key = upstream_->api_key;
  if (key.empty()) return;
  blank_out(held_answer_->body, key);
  if (!meter_->decodes()) return;
  std::string text = meter_->error_text();
  if (!blank_out(text, key)) return;
  held_answer_->body = std::move(text);
  held_answer_->content_length.reset();
  drop_line(held_answer_->lines.text, "content-encoding");
}

void Relay::hold_answer(const upstream::AnswerHead& head, AnswerLines lines) {
  phase_ = Phase::refused;
  const bool to_retry = may_retry(head.status);
  if (to_retry) body_ = call_->take_body();
  held_answer_ = HeldAnswer{.to_retry = to_retry,
                            .reason = std::string(head.reason),
                            .lines = std::move(lines),
                            .content_length = head.content_length,
                            .body = {}};
}

void Relay::hold_body(std::string_view bytes) {
  held_answer_->body += bytes;
  if (held_answer_->body.size() <= kMaxHeldAnswer) return;
  blank_out(held_answer_->body, upstream_->api_key);  // of a packed one the rest follows, packed
  give_answer(false);
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
  hide_key();
  if (!held_answer_->to_retry) return end_with_answer();
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
  timer_.emplace(proxy_.parts_.loop.get_executor());
  timer_->expires_after(pause);
  timer_->async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
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
