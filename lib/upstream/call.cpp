#include "upstream/call.hpp"

#include <utility>

#include "http/reply_head.hpp"

#include "upstream/client.hpp"
#include "upstream/connection.hpp"
#include "upstream/dialer.hpp"

namespace weir::upstream {
Call::Call(Client& client, Request request, Receiver& receiver)
    : client_(&client), request_(std::move(request)), receiver_(&receiver) {
  if (request_.body.size() <= kOneWriteBytes) {
    body_at_ = request_.head.size();
    request_.head += request_.body;
    request_.body.clear();
  }
}

void Call::start() {
  const auto keep = shared_from_this();
  if (auto connection = client_->take_idle({request_.origin, request_.tls, request_.via})) {
    ++client_->stats_.reused;
    return run_on(std::move(connection), true);
  }
  dial();
}

void Call::dial() {
  ++client_->stats_.dialled;
  dialer_ = std::make_shared<Dialer>(
      client_->loop_, client_->resolver_, request_.origin, request_.tls, request_.via,
      [self = shared_from_this()](std::optional<Transport> transport, Failure failure) {
        self->dialer_ = nullptr;
        if (!transport) return self->fail(std::move(failure));
        auto connection = std::make_shared<Connection>(
            *self->client_, Client::Key{self->request_.origin, self->request_.tls, self->request_.via},
            std::move(*transport));
        self->client_->add(connection);
        self->run_on(std::move(connection), false);
      });
  dial_deadline_ = http::coarse_now() + client_->options_.connect_timeout;
  client_->dialling_.push_back(weak_from_this());
  client_->arm_sweep();
  dialer_->start();
}

void Call::run_on(std::shared_ptr<Connection> connection, bool reused) {
  connection_ = connection;
  connection->begin(shared_from_this(), reused);
}

bool Call::try_again(const Failure& failure) {
  connection_ = nullptr;
  if (receiver_ == nullptr || retried_ || body_begun_) return false;
  // Of a request that was sent whole, nobody knows whether the server has acted on it.
  if (failure.request_sent && !request_.idempotent) return false;
  retried_ = true;
  sent_ = false;
  ++client_->stats_.retried;
  dial();
  return true;
}

void Call::sweep(http::CoarseTime now) {
  if (dialer_ == nullptr || now < dial_deadline_) return;
  Failure failure{Fault::connect_timeout, dialer_->stage() + " took too long"};
  dialer_->cancel();
  dialer_ = nullptr;
  fail(std::move(failure));
}

void Call::fail(Failure failure) {
  Receiver* receiver = receiver_;
  ended();
  if (receiver != nullptr) receiver->on_failure(failure);
}

void Call::ended() {
  receiver_ = nullptr;
  connection_ = nullptr;
  client_ = nullptr;
}

bool Call::write(std::string_view bytes) {
  body_begun_ = true;
  if (connection_ != nullptr) return connection_->write(bytes);
  if (dialer_ == nullptr || bytes.empty()) return true;  // the call is over
  append_piece(early_, bytes);
  return false;
}

void Call::finish(std::string_view trailers) {
  body_begun_ = true;
  if (connection_ != nullptr) return connection_->finish(trailers);
  if (std::exchange(early_end_, true)) return;
  append_end(early_, trailers);
}

void Call::append_piece(std::string& out, std::string_view bytes) const {
  if (request_.chunked) {
    http::append_chunk(out, bytes);
  } else {
    out += bytes;
  }
}

void Call::append_end(std::string& out, std::string_view trailers) const {
  if (request_.chunked) out.append("0\r\n").append(trailers).append("\r\n");
}

std::string Call::take_body() {
  return body_at_ > 0 ? request_.head.substr(body_at_) : std::move(request_.body);
}

void Call::pause() {
  if (connection_ != nullptr) connection_->pause();
}

void Call::resume() {
  if (connection_ != nullptr) connection_->resume();
}

void Call::cancel() {
  const auto keep = shared_from_this();
  receiver_ = nullptr;
  if (const auto dialer = std::exchange(dialer_, nullptr)) dialer->cancel();
  if (const auto connection = std::exchange(connection_, nullptr)) connection->close();
  client_ = nullptr;
}

}  // namespace weir::upstream
