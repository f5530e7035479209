// What streamed routes need of a connection: the body in pieces, answers that are pushed, other protocols.
#include <algorithm>
#include <utility>

#include <sys/socket.h>

#include "http/connection.hpp"

namespace weir::http {
namespace {

// Room for reading a body: large enough that a long upload costs few reads, small enough for many of them.
constexpr std::uint64_t kBodyReadBytes = 64 * 1024;
constexpr std::size_t kChunkedReadBytes = 16 * 1024;
constexpr std::size_t kUpgradedReadBytes = 4 * 1024;

}  // namespace

// Owed or pushing: the handler has the word. True if what happened here changed the state.
bool Connection::await_handler() {
  const State before = state_;
  if (body_ == Body::wanted) upgraded_ ? pump_upgraded() : pump_body();
  if (state_ != before) return true;
  if (!flush()) return false;
  while (drained_ != nullptr) {
    const auto callback = std::exchange(drained_, nullptr);
    callback();
    if (state_ != before) return true;
    if (!flush()) return false;
  }
  if (wants_watch()) watch();
  return false;
}

void Connection::receive_body(BodySink sink) {
  if (!streamed_ || body_ != Body::unasked || state_ == State::closed) return;
  sink_ = std::move(sink);
  body_ = Body::wanted;
  guarded([this] { advance(); });
}

void Connection::resume_body() {
  if (body_ != Body::paused) return;
  body_ = Body::wanted;
  guarded([this] { advance(); });
}

// Hands on what has come of the body, and asks the socket for more.
void Connection::pump_body() {
  while (body_ == Body::wanted && !reading_ && (state_ == State::owed || state_ == State::pushing)) {
    const auto step = parser_.parse(input_);
    if (step == RequestParser::Step::failed) return body_failed();
    view_request();
    const bool last = step == RequestParser::Step::complete;
    if (request_.body.empty() && !last) {
      if (parser_.expects_continue() && !parser_.http_1_0() && !continue_said_ && state_ == State::owed) {
        continue_said_ = true;
        out_ += "HTTP/1.1 100 Continue\r\n\r\n";
        flush();
        if (state_ == State::closed) return;
      }
      expire_after(shared_->options.body_timeout);
      const auto length = parser_.content_length_remaining();
      return start_read(
          static_cast<std::size_t>(std::min(length.value_or(kChunkedReadBytes), kBodyReadBytes)));
    }
    body_ = last ? Body::done : Body::paused;
    // Out of the member: it may end this connection, and with it the sink, while it runs.
    BodySink sink = std::move(sink_);
    const bool more = sink(request_.body, last);
    if (state_ == State::closed) return;
    parser_.drop_body(input_);
    view_request();
    if (last) {
      data_waits_ = false;  // what waited was the body
      return;
    }
    sink_ = std::move(sink);
    if (more) body_ = Body::wanted;
  }
}

// The same after a 101: whatever comes is for the handler, and silence is nobody's fault.
void Connection::pump_upgraded() {
  while (body_ == Body::wanted && !reading_ && state_ == State::pushing) {
    if (input_.size() == 0) return start_read(kUpgradedReadBytes);
    body_ = Body::paused;
    BodySink sink = std::move(sink_);
    const bool more = sink({input_.data(), input_.size()}, false);
    if (state_ == State::closed) return;
    input_.consume(input_.size());
    sink_ = std::move(sink);
    if (more) body_ = Body::wanted;
  }
}

// No valid chunks follow, so nothing that this client sends can be told from a next request.
void Connection::body_failed() {
  const Refusal refusal = parser_.refusal();
  body_ = Body::paused;
  sink_ = nullptr;
  if (const auto callback = std::exchange(abandoned_, nullptr)) guarded(callback);
  if (state_ == State::pushing) return close();
  if (state_ == State::owed)
    refuse_and_close({.status = refusal.status, .detail = std::string(refusal.detail)});
}

void Connection::begin(const PushedHead& head) {
  if (state_ != State::owed) return;
  upgraded_ = head.status == 101;
  bodiless_ = request_.method == Method::head || head.status == 204 || head.status == 304;
  chunked_ = !head.content_length && !bodiless_ && !upgraded_ && !parser_.http_1_0();
  if (!head.content_length && !bodiless_ && !chunked_) close_after_ = true;
  if (body_under_way()) close_after_ = input_unread_ = true;
  if (shared_->stopping() && !more_input()) close_after_ = true;
  said_close_ = close_after_;
  answer_.clear();

  append_status_line(out_, head.status, head.reason);
  out_ += head.headers;
  if (head.content_length && head.status != 204) append_content_length(out_, *head.content_length);
  if (chunked_) out_ += "Transfer-Encoding: chunked\r\n";
  if (!head.has_date) (out_ += "Date: ").append(shared_->date.now()) += "\r\n";
  if (!head.has_request_id) (out_ += "X-Request-Id: ").append(request_.request_id) += "\r\n";
  if (upgraded_) {
    out_ += "Connection: Upgrade\r\n";
  } else if (close_after_) {
    out_ += "Connection: close\r\n";
  } else if (parser_.http_1_0()) {
    out_ += "Connection: keep-alive\r\n";
  }
  out_ += "\r\n";
  state_ = State::pushing;
  if (!upgraded_) return;
  parser_.finish(input_);
  view_request();
  input_unread_ = true;               // at the end the client may still be sending
  boost::system::error_code ignored;  // one that vanished must not stay for ever: no deadline looks after it
  if (!unix_socket_) socket_->set_option(boost::asio::socket_base::keep_alive(true), ignored);
}

void Connection::push(std::string_view bytes) {
  if (state_ != State::pushing || bodiless_ || bytes.empty()) return;
  if (chunked_) {
    append_chunk(out_, bytes);
  } else {
    out_ += bytes;
  }
}

void Connection::on_drained(std::function<void()> callback) {
  if (state_ != State::pushing) return;
  drained_ = std::move(callback);
  if (!writing_) guarded([this] { advance(); });
}

void Connection::push_trailers(std::string_view lines) {
  if (state_ == State::pushing) trailers_ = lines;
}

void Connection::end() {
  if (state_ != State::pushing) return;
  if (chunked_) out_.append("0\r\n").append(trailers_).append("\r\n");
  state_ = State::answered;
  guarded([this] { advance(); });
}

void Connection::abort() {
  if (state_ == State::owed) return close(true);
  if (state_ != State::pushing) return;
  if (!chunked_ && !bodiless_ && parser_.http_1_0()) {
    // A body that is ended by close: only a reset tells it from a complete one.
    const struct ::linger now { .l_onoff = 1, .l_linger = 0 };
    ::setsockopt(socket_->native_handle(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
    return close(true);
  }
  close_after_ = true;
  state_ = State::answered;
  guarded([this] { advance(); });
}

void Connection::forget_stream() {
  streamed_ = bodiless_ = false;
  body_ = Body::unasked;
  sink_ = nullptr;
  drained_ = nullptr;
  trailers_ = std::string();
}

}  // namespace weir::http
