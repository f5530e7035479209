// The call itself: what goes upstream and what comes back.
#include <fmt/format.h>

#include "http/reply_head.hpp"
#include "ledger/call_id.hpp"
#include "quota/amount_text.hpp"

#include "proxy/heads.hpp"
#include "proxy/model_name.hpp"
#include "proxy/relay.hpp"

namespace weir::proxy {
namespace {

constexpr std::size_t kHeadBytes = 512;  // of a request, beside its path and the caller's lines

bool is_idempotent(std::string_view method) {
  for (const std::string_view known : {"GET", "HEAD", "OPTIONS", "PUT", "DELETE"}) {
    if (method == known) return true;
  }
  return false;
}

}  // namespace

void Relay::send() {
  phase_ = Phase::sending;
  held_answer_.reset();
  status_ = 0;
  std::string_view path = path_, query = query_;
  std::string other_path, other_query;
  if (operation_.metered && (sent_model_ != model_ || body_rewritten_)) {
    if (operation_.session) {
      query = other_query = with_model_parameter(query_, sent_model_);
    } else if (operation_.model_in_path) {
      path = other_path = operation_.path_for(sent_model_);
    } else if (auto rewritten = with_model(body_, sent_model_)) {
      body_ = std::move(*rewritten);
      body_rewritten_ = true;
    } else {
      cancel_admission();
      return refuse(400, "the body's model cannot be replaced by the pool's fallback");
    }
  }
  upstream::Request request;
  request.origin = upstream_->base.origin;
  request.tls = proxy_.tls(*upstream_);
  request.via = upstream_->via;
  request.to_head = to_head_;
  request.upgrade = operation_.session;
  request.idempotent = is_idempotent(method_);
  request.streamed = oversize_ || (!operation_.metered && has_body_) || !trailers_.empty();
  request.chunked = request.streamed && !content_length_;
  request.head = request_head(path, query, request.streamed ? std::nullopt : std::optional(body_.size()));
  if (!request.streamed) request.body = std::move(body_);
  if (!operation_.metered) complete_at_ = proxy_.parts_.now().steady;
  call_ = proxy_.client_.call(std::move(request), *this);
  call_->start();
}

std::string Relay::request_head(std::string_view path, std::string_view query,
                                std::optional<std::size_t> body_bytes) const {
  const upstream::BaseUrl& base = upstream_->base;
  const std::size_t body_in_it =
      body_bytes.value_or(0) <= upstream::kOneWriteBytes ? body_bytes.value_or(0) : 0;
  std::string head;
  head.reserve(kHeadBytes + path.size() + query.size() + lines_.size() + body_in_it);
  const bool gemini = upstream_->provider == "gemini";
  head += method_;
  head += ' ';
  if (gemini) {
    head.append(base.path).append(path);
  } else {
    head += join_paths(base.path, path);
  }
  if (!query.empty()) head.append("?").append(query);
  head += " HTTP/1.1\r\nHost: ";
  base.origin.append_authority(head);
  head += "\r\n";
  head += lines_;
  if (operation_.session) head += "Connection: Upgrade\r\nUpgrade: websocket\r\n";
  head += accepts_gzip_ ? "Accept-Encoding: gzip\r\n" : "Accept-Encoding: identity\r\n";
  if (!upstream_->api_key.empty()) {
    head += gemini && operation_.form != Form::google_openai ? "x-goog-api-key: " : "Authorization: Bearer ";
    head += upstream_->api_key;
    head += "\r\n";
  }
  const auto length = body_bytes ? std::optional<std::uint64_t>(*body_bytes) : content_length_;
  if (!body_bytes && !content_length_) {
    head += "Transfer-Encoding: chunked\r\n";
  } else if (*length > 0 || (method_ != "GET" && method_ != "HEAD")) {
    http::append_content_length(head, *length);
  }
  return head += "\r\n";
}

void Relay::on_connected(bool) {
  guarded([this] {
    departed_at_ = proxy_.parts_.now().steady;
    if (oversize_) {
      write_held_body();
    } else if (!trailers_.empty()) {
      call_->write(std::exchange(body_, {}));
      if (phase_ != Phase::over) call_->finish(trailers_);
    } else if (!operation_.metered && has_body_) {
      exchange_->receive_body([self = shared_from_this()](std::string_view bytes, bool last) {
        bool more = false;
        self->guarded([&] { more = self->pass_on(bytes, last); });
        return more;
      });
    }
  });
}

// It counts as held until it has left: upstream may take it slowly.
void Relay::write_held_body() {
  if (call_->write(std::exchange(body_, {})) && phase_ != Phase::over) on_room();
}

void Relay::on_room() {
  guarded([this] {
    release();
    exchange_->resume_body();
  });
}

void Relay::on_sent() {
  guarded([this] {
    const Now now = proxy_.parts_.now();
    if (operation_.session && admission_ == 0) return;
    sent_at_ = now.wall;
    if (operation_.metered && retries_ == 0) {
      const Micros since = (departed_at_ - complete_at_) - waited_;
      proxy_.metrics_.overhead->observe(std::max(0.0, seconds(since)));
    }
  });
}

// --- the answer

void Relay::append_weir_lines(std::string& to) const {
  if (latest_admission_ != 0) {
    to += "X-Weir-Admission: ";
    ledger::append_id(to, latest_admission_);
    to += "\r\n";
  }
  to.append("X-Weir-Project: ").append(upstream_->name).append("\r\n");
  if (!sent_model_.empty()) {
    to.append("X-Weir-Model: ").append(sent_model_).append("\r\nX-Weir-Waited: ");
    append_seconds(to, waited_);
    to += "\r\n";
  }
}

// Where an upload goes on, by way of us.
std::string Relay::rewrite_url(std::string_view url) const {
  const auto here = host_.empty() ? std::nullopt : path_here(url, upstream_->name, upstream_->base);
  return here ? fmt::format("http://{}{}", host_, *here) : std::string(url);
}

void Relay::on_head(const upstream::AnswerHead& head) {
  guarded([&] {
    if (head.status == 101) return begin_session(head);
    status_ = head.status;
    proxy_.metrics_.first_byte->observe(seconds(proxy_.parts_.now().steady - departed_at_));
    if (operation_.metered || may_quote_key(head.status)) {
      meter_.emplace(head.status, head.get("content-encoding"), head.get("retry-after"),
                     proxy_.setup_.max_metered_body_bytes);
    }
    if (operation_.metered) {
      for (std::size_t i = 0; i < head.count(); ++i) {
        const auto [name, value] = head.field(i);
        provider::read_rate_limit(name, value, rate_limits_);
      }
    }
    AnswerLines lines = answer_lines(head, [this](std::string_view url) { return rewrite_url(url); });
    if (may_retry(head.status) || may_quote_key(head.status)) return hold_answer(head, std::move(lines));
    phase_ = Phase::answering;
    if (!oversize_) release();
    append_weir_lines(lines.text);
    exchange_->begin({.status = head.status,
                      .reason = head.reason,
                      .headers = lines.text,
                      .content_length = head.content_length,
                      .has_date = lines.has_date,
                      .has_request_id = lines.has_request_id});
  });
}

void Relay::on_body(std::string_view bytes) {
  guarded([&] {
    if (session_) return from_upstream(bytes);
    if (meter_) meter_->feed(bytes);
    if (phase_ == Phase::refused) return hold_body(bytes);
    exchange_->push(bytes);
  });
}

void Relay::on_trailers(std::string_view lines) {
  guarded([&] {
    if (phase_ == Phase::refused && !held_answer_->to_retry) {
      hide_key();
      give_answer(false);  // chunked, as it came
    }
    if (phase_ == Phase::answering) exchange_->push_trailers(trailer_lines(lines));
  });
}

void Relay::on_quiet() {
  guarded([this] {
    if (phase_ == Phase::refused || exchange_->flush() || phase_ == Phase::over) return;
    call_->pause();
    exchange_->on_drained([self = shared_from_this()] {
      if (self->call_ != nullptr) self->call_->resume();
    });
  });
}

void Relay::on_end() {
  guarded([this] {
    if (session_) {
      account_session();
    } else {
      proxy_.metrics_.duration->observe(seconds(proxy_.parts_.now().steady - departed_at_));
      if (phase_ == Phase::refused) return refused_whole();
      settle(status_, false);
    }
    exchange_->end();
    finish();
  });
}

void Relay::on_failure(const upstream::Failure& failure) {
  using upstream::Fault;
  guarded([&] {
    const bool late = failure.fault == Fault::connect_timeout || failure.fault == Fault::first_byte_timeout ||
                      failure.fault == Fault::idle_timeout;
    proxy_.complain(upstream_->name, failure.text);
    if (session_) {
      account_session();
      exchange_->abort();
      return finish();
    }
    if (phase_ == Phase::refused) {
      hide_key();
      give_answer(false);
    }
    if (phase_ == Phase::answering) {
      settle(status_, true);
      exchange_->abort();
      return finish();
    }
    const int status = late ? 504 : 502;
    if (failure.request_sent) {
      settle(status, true);
    } else {
      cancel_admission();
    }
    refuse(status, failure.text);
  });
}

}  // namespace weir::proxy
