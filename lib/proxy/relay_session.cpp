// A call that became a WebSocket session: opened by upstream's 101, admitted, watched, ended.
//
// The bytes of both sides pass as they are. If the client's first message names the model, it is held back,
// and nothing more is read, until the call is admitted; a refusal is a Close frame. A pool's session whose
// model is only known then stays with the pool's first project, which has answered the request already.
//
// Where each message may name a model (OpenAI's Responses), one that names another ends the session before
// upstream has it: one call has one model.
#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "proxy/heads.hpp"
#include "proxy/relay.hpp"

namespace weir::proxy {
namespace {

constexpr std::uint16_t kGoingAway = 1001, kPolicy = 1008, kTooBig = 1009, kTryAgainLater = 1013;
constexpr std::int64_t kBytesPerToken = 4;
// What may come around the first message: headers, pings.
constexpr std::size_t kFirstSlackBytes = 64 * 1024;

std::uint16_t close_code(const Refusal& refused) {
  if (refused.status == 413) return kTooBig;
  const bool later = refused.headers.find("Retry-After: ") != std::string::npos;
  return later || refused.status >= 500 ? kTryAgainLater : kPolicy;
}

}  // namespace

void Relay::start_session() {
  if (operation_.two_models)
    return refuse(400, "the query has \"model\" twice: upstream may read the other one");
  if (operation_.metered && !operation_.model.empty() && !operation_.model_in_messages) {
    model_ = operation_.model;
    complete_at_ = proxy_.parts_.now().steady;
    return admit({}, {});
  }
  upstream_ = proxy_.members(name_).front();
  send();
}

void Relay::begin_session(const upstream::AnswerHead& head) {
  phase_ = Phase::answering;
  status_ = head.status;
  proxy_.metrics_.first_byte->observe(seconds(proxy_.parts_.now().steady - departed_at_));
  session_.emplace(proxy_.setup_.max_metered_body_bytes, operation_.metered && admission_ == 0);
  AnswerLines lines = answer_lines(head, [this](std::string_view url) { return rewrite_url(url); });
  lines.text += "Upgrade: websocket\r\n";
  append_weir_lines(lines.text);
  exchange_->begin({.status = head.status,
                    .reason = head.reason,
                    .headers = lines.text,
                    .has_date = lines.has_date,
                    .has_request_id = lines.has_request_id});
  if (proxy_.stopping_) return stop_session();
  if (session_->first() == Session::First::incomplete) expect_first_message();
  exchange_->receive_body([self = shared_from_this()](std::string_view bytes, bool) {
    bool more = false;
    self->guarded([&] { more = self->from_client(bytes); });
    return more;
  });
}

// Until it is there the session is nobody's: not admitted, and held in memory.
void Relay::expect_first_message() {
  timer_.emplace(proxy_.parts_.loop.get_executor());
  timer_->expires_after(proxy_.setup_.client.idle_timeout);
  timer_->async_wait([self = shared_from_this()](const boost::system::error_code& ec) {
    if (ec || self->phase_ == Phase::over || self->session_->first() != Session::First::incomplete) return;
    self->guarded(
        [&] { self->refuse(408, "the first message did not come whole within proxy.idle_timeout_s"); });
  });
}

bool Relay::from_client(std::string_view bytes) {
  if (phase_ == Phase::over) return false;
  if (session_->first() == Session::First::none_wanted) {
    if (watch_ && !watch_models(bytes)) return false;
    session_->from_client(bytes);
    return call_->write(bytes);
  }
  if (!hold(held_ + 2 * bytes.size())) {  // as it came, and the message in it
    refuse_to_hold();
    return false;
  }
  session_->from_client(bytes);
  body_ += bytes;
  const std::size_t most = proxy_.setup_.max_metered_body_bytes;
  switch (session_->first()) {
    case Session::First::complete:
      admit_session();
      return false;
    case Session::First::damaged:
      refuse(400, "what comes is no WebSocket frame");
      return false;
    case Session::First::incomplete:
      if (body_.size() <= most + kFirstSlackBytes) return true;
      [[fallthrough]];
    default:
      refuse(413, fmt::format("the first message is larger than proxy.max_metered_body_bytes ({})", most));
      return false;
  }
}

bool Relay::watch_models(std::string_view bytes) {
  const ModelWatch::Fault fault = watch_->feed(bytes);
  const bool held = fault != ModelWatch::Fault::none || hold(2 * body_.size() + watch_->held_bytes());
  if (held && fault == ModelWatch::Fault::none) return true;
  account_session();
  if (!held) {
    refuse_to_hold();
  } else if (fault == ModelWatch::Fault::other_model) {
    refuse(400, "a message names another model than the session was admitted for: open another session");
  } else if (fault == ModelWatch::Fault::too_large) {
    refuse(413, "a message is larger than proxy.max_metered_body_bytes: the model in it cannot be read");
  } else {
    refuse(400, "a message is no JSON object: the model that it may name cannot be read");
  }
  return false;
}

void Relay::admit_session() {
  timer_.reset();
  const std::string& message = session_->first_message();
  const auto models = models_of_message(message).value_or(std::vector<std::string>());
  if (models.size() > 1) return refuse(400, "the session's first message names a model twice");
  model_ = models.empty() ? operation_.model : models.front();
  if (model_.empty()) return refuse(400, "the session's first message names no model");
  if (!operation_.model.empty() && operation_.model != model_)
    return refuse(400, "the query and the session's first message name different models");
  if (operation_.model_in_messages) {
    watch_.emplace(model_, proxy_.setup_.max_metered_body_bytes);
    // More than the first may have come already.
    if (!watch_models(body_)) return;
  }
  Amounts want;
  want.input_tokens = std::max<std::int64_t>(static_cast<std::int64_t>(message.size()) / kBytesPerToken, 1);
  complete_at_ = proxy_.parts_.now().steady;
  admit(want, {});
}

void Relay::open_session() {
  phase_ = Phase::answering;
  session_->forget_first_message();
  const Now now = proxy_.parts_.now();
  departed_at_ = now.steady;
  sent_at_ = now.wall;
  write_held_body();
}

void Relay::from_upstream(std::string_view bytes) {
  exchange_->push(bytes);
  // Upstream counts as it goes: the last that it told of is the last that it can have counted of that.
  if (session_->from_upstream(bytes)) sent_at_ = proxy_.parts_.now().wall;
}

// Whatever ended it: settled if upstream had what the call is for, else undone.
void Relay::account_session() {
  if (ticket_ != 0) proxy_.parts_.service.abandon(std::exchange(ticket_, 0));
  if (phase_ == Phase::answering) {
    settle(status_, session_->partial());
  } else {
    cancel_admission();
  }
}

void Relay::stop_session() {
  account_session();
  close_session(kGoingAway, "Weir: the daemon stops");
}

void Relay::refuse_session(const Refusal& refused) {
  close_session(close_code(refused), refused.text);
}

// Both sides are told by a Close frame, if a frame may begin where their bytes stand.
void Relay::close_session(std::uint16_t code, std::string_view reason) {
  const bool held_back = session_->first() != Session::First::none_wanted;
  if (held_back || session_->may_tell_upstream()) call_->write(close_frame(kGoingAway, {}, true));
  call_->cancel();
  if (session_->may_tell_client()) {
    exchange_->push(close_frame(code, reason, false));
    exchange_->end();
  } else {
    exchange_->abort();
  }
  finish();
}

}  // namespace weir::proxy
