#include "proxy/relay.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "proxy/demand.hpp"
#include "proxy/heads.hpp"

namespace weir::proxy {
namespace {

// Of a body whose length is said; beyond it room is made as the bytes come, since only those are counted.
constexpr std::size_t kFirstReserveBytes = 64 * 1024;
constexpr int kClientLeft = 499;  // as nginx has it: no answer was waited for

}  // namespace

Relay::Relay(Proxy& proxy, std::shared_ptr<http::Exchange> exchange, const Target& target, std::string query,
             Operation operation, std::string consumer)
    : proxy_(proxy),
      exchange_(std::move(exchange)),
      name_(target.name),
      path_(target.path),
      query_(std::move(query)),
      method_(exchange_->request().method_name),
      host_(exchange_->request().header("host")),
      lines_(request_lines(exchange_->request())),
      operation_(std::move(operation)),
      consumer_(std::move(consumer)),
      to_head_(exchange_->request().method == http::Method::head),
      has_body_(exchange_->request().chunked || exchange_->request().content_length.value_or(0) > 0),
      accepts_gzip_(accepts_gzip(exchange_->request())),
      content_length_(exchange_->request().content_length),
      content_encoding_(exchange_->request().header("content-encoding")),
      wait_text_(exchange_->request().header("X-Weir-Wait")) {}

void Relay::start(std::list<std::shared_ptr<Relay>>::iterator position) {
  position_ = position;
  guarded([this] {
    exchange_->on_abandoned([self = shared_from_this()] { self->client_left(); });
    if (operation_.session) return start_session();
    if (!operation_.metered) {
      upstream_ = proxy_.members(name_).front();
      return send();
    }
    exchange_->receive_body([self = shared_from_this()](std::string_view bytes, bool last) {
      bool more = false;
      self->guarded([&] {
        more = self->phase_ == Phase::collecting ? self->collect(bytes, last) : self->pass_on(bytes, last);
      });
      return more;
    });
  });
}

// --- the request

bool Relay::hold(std::size_t bytes) {
  const std::size_t of_others = proxy_.held_bytes_ - held_;
  if (bytes > held_ && of_others + bytes > proxy_.setup_.max_held_bytes) return false;
  proxy_.held_bytes_ = of_others + bytes;
  held_ = bytes;
  return true;
}

void Relay::release() {
  body_ = std::string();
  hold(watch_ ? watch_->held_bytes() : 0);
}

// Not backpressure: calls that each hold a part and wait for the rest would wait for each other.
void Relay::refuse_to_hold() {
  refuse(503, fmt::format("as many bytes of requests are held as proxy.max_held_bytes allows ({})",
                          proxy_.setup_.max_held_bytes));
}

bool Relay::collect(std::string_view bytes, bool last) {
  if (!hold(held_ + bytes.size())) {
    refuse_to_hold();
    return false;
  }
  if (body_.empty()) {
    const std::uint64_t most = std::min<std::uint64_t>(content_length_.value_or(0), kFirstReserveBytes);
    body_.reserve(std::max<std::size_t>(most, bytes.size()) + simdjson::SIMDJSON_PADDING);
  }
  body_.append(bytes);
  if (last) trailers_ = trailer_lines(exchange_->request().trailers);
  if (body_.size() > proxy_.setup_.max_metered_body_bytes) {
    if (!operation_.model_in_path) {
      refuse(413,
             fmt::format("the body is larger than proxy.max_metered_body_bytes ({}), so the model that it "
                         "names cannot be read",
                         proxy_.setup_.max_metered_body_bytes));
      return false;
    }
    oversize_ = !last;
    model_ = operation_.model;
    complete_at_ = proxy_.parts_.now().steady;
    admit({}, guess_by_size(content_length_.value_or(body_.size())));
    return false;
  }
  if (last) {
    complete_at_ = proxy_.parts_.now().steady;
    const Demand demand = demand_of(operation_, body_, content_encoding_, proxy_.parser_);
    if (!demand.problem.empty()) {
      refuse(400, demand.problem);
    } else {
      model_ = demand.model;
      admit(demand.want, demand.guess);
    }
  }
  return true;
}

// The body of an unmetered request, or the rest of one too large to hold.
bool Relay::pass_on(std::string_view bytes, bool last) {
  if (call_ == nullptr) return false;
  const bool room = call_->write(bytes);
  if (phase_ == Phase::over) return false;
  if (last) call_->finish(trailer_lines(exchange_->request().trailers));
  return room;
}

// --- ends

void Relay::failed(const char* what) {
  spdlog::error("proxied call to {}: {}", name_, what);
  if (phase_ == Phase::over) return;
  if (call_ != nullptr) call_->cancel();
  if (sent_at_ || phase_ == Phase::answering) {
    settle(status_ == 0 ? 500 : status_, true);
  } else {
    cancel_admission();
  }
  if (phase_ == Phase::answering) {
    exchange_->abort();
    return finish();
  }
  refuse(500, "an error in the daemon; its log tells more");
}

void Relay::client_left() {
  guarded([this] {
    if (phase_ == Phase::over) return;
    if (session_) {
      account_session();
      call_->cancel();
      return finish();
    }
    if (ticket_ != 0) proxy_.parts_.service.abandon(ticket_);
    if (call_ != nullptr) call_->cancel();
    if (sent_at_ || phase_ == Phase::answering) {
      settle(status_ != 0 ? status_ : kClientLeft, true);
    } else {
      cancel_admission();
    }
    finish();
  });
}

void Relay::refuse(int status, std::string_view detail) {
  refuse(refusal(operation_.form, status, detail));
}

void Relay::refuse(const Refusal& refused) {
  if (session_) return refuse_session(refused);
  std::string headers = refused.headers;
  if (upstream_ != nullptr) append_weir_lines(headers);
  exchange_->reply({.status = refused.status, .body = refused.body, .headers = headers});
  finish();
}

void Relay::finish() {
  if (phase_ == Phase::over) return;
  const auto keep = shared_from_this();
  phase_ = Phase::over;
  timer_.reset();
  watch_.reset();
  release();
  exchange_ = nullptr;
  call_ = nullptr;
  proxy_.forget(position_);
}

void Relay::stop() {
  guarded([this] {
    if (session_) stop_session();
  });
}

void Relay::drop() {
  if (call_ != nullptr) call_->cancel();
  finish();
}

}  // namespace weir::proxy
