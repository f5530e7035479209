// The socket's side of a connection: reading, writing, watching for the client's leaving, deadlines, the end.
#include <algorithm>
#include <cerrno>
#include <utility>

#include <poll.h>
#include <sys/socket.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <spdlog/spdlog.h>

#include "http/connection.hpp"

namespace weir::http {
namespace {

// A client that connected just before a stop gets this long to say something.
constexpr std::chrono::milliseconds kFreshGrace{500};

}  // namespace

bool Connection::flush() {
  if (writing_ || state_ == State::closed) return false;
  while (out_sent_ < out_.size()) {
    boost::system::error_code ec;
    // At once if it fits, which is nearly always; no operation, no turn of the loop.
    const auto sent =
        socket_->write_some(boost::asio::buffer(out_.data() + out_sent_, out_.size() - out_sent_), ec);
    if (ec == boost::asio::error::would_block) {
      start_write();
      return false;
    }
    if (ec) {
      close();
      return false;
    }
    out_sent_ += sent;
  }
  empty(out_);
  out_sent_ = 0;
  return true;
}

void Connection::start_write() {
  writing_ = true;
  waiting_ = Waiting::nothing;
  expire_after(shared_->options.write_timeout);
  // Not a write that is under way: more may be put into out_ meanwhile, which moves it.
  socket_->async_wait(Socket::wait_write,
                      [keep = self()](const boost::system::error_code& ec) { keep->on_writable(ec); });
}

void Connection::on_writable(const boost::system::error_code& ec) {
  writing_ = false;
  if (state_ == State::closed) return;
  if (ec) return close();
  deadline_ = CoarseTime::max();
  pieces_in_turn_ = 0;
  guarded([this] {
    if (flush()) advance();
  });
}

void Connection::start_read(std::size_t least) {
  if (reading_) return;
  const auto room = input_.prepare(least);
  if (streamed_) view_request();  // it may have moved
  reading_ = true;
  socket_->async_read_some(
      boost::asio::buffer(room.data(), room.size()),
      [keep = self()](const boost::system::error_code& ec, std::size_t count) { keep->on_read(ec, count); });
}

void Connection::on_read(const boost::system::error_code& ec, std::size_t count) {
  reading_ = false;
  if (state_ == State::closed) return;
  if (state_ == State::lingering) {
    if (ec) return close();
    return start_read();  // into the same room: nobody reads it any more
  }
  input_.commit(count);
  const bool body = body_ == Body::wanted;          // of a streamed route
  if (state_ != State::receiving && !body) return;  // refused for being late; linger() discards this
  if (ec) return body ? abandoned() : close();
  if (body && !writing_) deadline_ = CoarseTime::max();  // else it is the write's
  guarded([this] { advance(); });
}

void Connection::linger() {
  state_ = State::lingering;
  boost::system::error_code ec;
  socket_->shutdown(boost::asio::socket_base::shutdown_send, ec);
  // Closing with bytes unread would reset the connection, and the client might lose the answer.
  char junk[4096];
  ssize_t got = 0;
  int rounds = 0;
  do {
    got = ::recv(socket_->native_handle(), junk, sizeof junk, MSG_DONTWAIT);
    if (got > 0) input_unread_ = true;
  } while (got > 0 && ++rounds < 64);
  if (got == 0 || (got < 0 && (errno != EAGAIN || !input_unread_))) return close();
  expire_after(shared_->options.linger_timeout);
  start_read();
}

void Connection::close(bool silent) {
  if (state_ == State::closed) return;
  const auto keep = self();
  const bool owed = state_ == State::owed || state_ == State::pushing;
  state_ = State::closed;
  socket_.reset();
  const auto callback = std::exchange(abandoned_, nullptr);
  const auto source = std::exchange(source_, nullptr);  // these end when all is in order here
  const auto sink = std::exchange(sink_, nullptr);
  const auto drained = std::exchange(drained_, nullptr);
  shared_->remove(position_);
  if (owed && callback && !silent) guarded(callback);
}

void Connection::failed(const char* what) {
  spdlog::error("request {} {}: {}", request_.request_id, request_.path, what);
  advancing_ = false;
  close();
}

void Connection::watch() {
  if (watching_ || data_waits_) return;
  watching_ = true;
  socket_->async_wait(Socket::wait_read,
                      [keep = self()](const boost::system::error_code& ec) { keep->on_watch(ec); });
}

void Connection::on_watch(const boost::system::error_code& ec) {
  watching_ = false;
  if (ec || !wants_watch()) return;
  char byte = 0;
  const auto got = ::recv(socket_->native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0) {
    data_waits_ = true;  // the next request; from here on sweep() looks
  } else if (got < 0 && errno == EAGAIN) {
    watch();
  } else {
    abandoned();
  }
}

void Connection::abandoned() {
  if (const auto callback = std::exchange(abandoned_, nullptr)) guarded(callback);
  if (state_ == State::owed || state_ == State::streaming || state_ == State::pushing) close();
}

bool Connection::idle() {
  if (state_ != State::receiving || waiting_ != Waiting::request || input_.size() > 0 || writing_)
    return false;
  if (coarse_now() < deadline_ - shared_->options.idle_timeout + shared_->options.idle_grace) return false;
  char byte = 0;  // of a request that has come in, but was not read yet
  return ::recv(socket_->native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

void Connection::begin_stop() {
  if (state_ == State::receiving && input_.size() == 0 && !writing_) end_if_idle();
}

void Connection::end_if_idle() {
  char byte = 0;
  const auto got = ::recv(socket_->native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (got > 0) return;  // a request has come in that we have not read yet
  if (got == 0 || errno != EAGAIN || served_ > 0) return close();
  if (waiting_ == Waiting::request) {
    deadline_ = std::min<CoarseTime>(deadline_, coarse_now() + kFreshGrace);
  } else {
    waiting_ = Waiting::request;
    expire_after(kFreshGrace);
  }
}

void Connection::sweep(CoarseTime now) {
  if (state_ == State::closed) return;
  if (now >= deadline_) {
    if (state_ == State::receiving && waiting_ == Waiting::request) return close();
    if (state_ != State::lingering) ++shared_->stats.timeouts;
    if (state_ != State::receiving || writing_) return close();
    deadline_ = CoarseTime::max();
    refuse_and_close({.status = 408, .detail = "the request did not come in completely in time"});
    return guarded([this] { advance(); });
  }
  if (data_waits_ && wants_watch()) {
    pollfd poll_it{.fd = socket_->native_handle(), .events = POLLRDHUP, .revents = 0};
    if (::poll(&poll_it, 1, 0) == 1) return abandoned();
  }
  // An answer that nobody can give any more: a bug of a route. The list and the sweep hold this too.
  const long ours = 2 + (watching_ ? 1 : 0) + (writing_ ? 1 : 0) + (posted_ ? 1 : 0) + (reading_ ? 1 : 0);
  const bool waits =
      state_ == State::owed || state_ == State::pushing || (state_ == State::streaming && piece_asked_);
  if (!waits || weak_from_this().use_count() > ours) return;
  spdlog::error("request {} {}: dropped without an answer", request_.request_id, request_.path);
  if (state_ != State::owed) return close();
  reply(Problem{.status = 500, .detail = "an error in the daemon: the request was dropped"});
}

}  // namespace weir::http
