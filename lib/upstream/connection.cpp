#include "upstream/connection.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace weir::upstream {
namespace {

constexpr std::size_t kFirstReadBytes = 4 * 1024;  // a stream of events needs no more
constexpr std::size_t kMostReadBytes = 64 * 1024;
constexpr int kReadsInTurn = 16;  // before other connections have their turn
constexpr int kMaxInterim = 16;   // 1xx answers

}  // namespace

Connection::Connection(Client& client, Client::Key key, Transport transport)
    : client_(&client),
      key_(std::move(key)),
      transport_(std::move(transport)),
      read_bytes_(kFirstReadBytes) {}

// A bug or bad_alloc ends this call, not the process.
template <class Work>
void Connection::guarded(const Work& work) {
  try {
    work();
  } catch (const std::exception& error) {
    spdlog::error("upstream {}: {}", key_.origin.authority(), error.what());
    if (call_ != nullptr) return broken({Fault::broken, "an error in the daemon"});
    close();
  }
}

void Connection::begin(std::shared_ptr<Call> call, bool reused) {
  call_ = std::move(call);
  reused_ = reused;
  head_sent_ = body_sent_ = out_sent_ = 0;
  out_ = std::exchange(call_->early_, {});
  finished_ = !call_->request_.streamed || call_->early_end_;
  room_owed_ = !out_.empty();
  all_sent_ = write_failed_ = paused_ = got_bytes_ = head_seen_ = upgraded_ = false;
  interim_ = 0;
  read_bytes_ = kFirstReadBytes;
  parser_.start(call_->request_.to_head);
  expire_after(client_->options_.idle_timeout);
  guarded([this] {
    const auto keep = shared_from_this();
    call_->receiver_->on_connected(reused_);
    send();
    if (call_ != nullptr) wait(Io::want_read);
  });
}

// --- the request

bool Connection::write(std::string_view bytes) {
  if (write_failed_ || bytes.empty()) return true;  // the answer, or its absence, will tell
  call_->append_piece(out_, bytes);
  expire_after(client_->options_.idle_timeout);  // the server's turn, even if it takes none of them now
  send();
  if (call_ == nullptr || out_.empty()) return true;
  room_owed_ = true;
  return false;
}

void Connection::finish(std::string_view trailers) {
  if (finished_) return;
  finished_ = true;
  call_->append_end(out_, trailers);
  send();
}

std::string_view Connection::next_bytes() const {
  const Request& request = call_->request_;
  if (head_sent_ < request.head.size()) return std::string_view(request.head).substr(head_sent_);
  if (body_sent_ < request.body.size()) return std::string_view(request.body).substr(body_sent_);
  return std::string_view(out_).substr(out_sent_);
}

void Connection::send() {
  while (call_ != nullptr && !all_sent_ && !write_failed_) {
    const std::string_view bytes = next_bytes();
    if (bytes.empty()) {
      out_.clear();
      out_sent_ = 0;
      if (finished_) return sent();
      deadline_ = http::CoarseTime::max();  // the client's turn
      if (!std::exchange(room_owed_, false)) return;
      call_->receiver_->on_room();
      if (out_.empty()) return;
      continue;
    }
    const auto [io, count] = transport_.write(bytes);
    if (io == Io::done) {
      std::size_t& counter = head_sent_ < call_->request_.head.size()   ? head_sent_
                             : body_sent_ < call_->request_.body.size() ? body_sent_
                                                                        : out_sent_;
      counter += count;
      expire_after(client_->options_.idle_timeout);
    } else if (io == Io::want_read || io == Io::want_write) {
      return wait(io);
    } else {
      // It may have answered before it closed, and that says more than our error.
      write_failed_ = true;
      expire_after(client_->options_.idle_timeout);
      if (room_owed_) {
        room_owed_ = false;
        out_.clear();
        out_sent_ = 0;
        call_->receiver_->on_room();
      }
    }
  }
}

void Connection::sent() {
  all_sent_ = call_->sent_ = true;
  if (!head_seen_) expire_after(client_->options_.first_byte_timeout);
  call_->receiver_->on_sent();
}

// --- the answer

void Connection::pause() {
  paused_ = true;
  if (all_sent_) deadline_ = http::CoarseTime::max();
}

void Connection::resume() {
  if (!paused_) return;
  paused_ = false;
  if (!upgraded_) expire_after(client_->options_.idle_timeout);
  guarded([this] { receive(); });
}

void Connection::receive() {
  const auto keep = shared_from_this();
  for (int round = 0; round < kReadsInTurn; ++round) {
    if (call_ == nullptr || paused_) return;
    const auto room = input_.prepare(read_bytes_);
    const auto [io, count] = transport_.read(room);
    if (io == Io::want_read || io == Io::want_write) return wait(io);
    if (io == Io::failed) return lost(transport_.error());
    if (io == Io::end && upgraded_) return answered();
    if (io == Io::end) {
      const auto step = parser_.parse_end();
      if (step == ResponseParser::Step::complete) return answered();
      return lost(std::string(parser_.problem()));
    }
    input_.commit(count);
    got_bytes_ = true;
    if (all_sent_) expire_after(client_->options_.idle_timeout);
    if (!hand_on()) return;
    const bool filled = count == room.size();
    if (filled) read_bytes_ = std::min(read_bytes_ * 2, kMostReadBytes);
    if (!filled && transport_.short_read_empties()) return wait(Io::want_read);
  }
  boost::asio::post(client_->loop_, [keep] { keep->guarded([&] { keep->receive(); }); });
}

bool Connection::hand_on() {
  if (upgraded_) return hand_on_upgraded();
  while (true) {
    const auto step = parser_.parse(input_);
    if (step == ResponseParser::Step::failed) {
      broken({parser_.too_large() ? Fault::too_large : Fault::malformed,
              fmt::format("the answer of {} is no proper HTTP: {}", key_.origin.authority(),
                          parser_.problem())});
      return false;
    }
    if (step == ResponseParser::Step::head_done) {
      const AnswerHead head = parser_.head(input_);
      if (head.status < 200) {
        if (head.status == 101 && call_->request_.upgrade && all_sent_) return switch_protocol(head);
        if (head.status == 101 || ++interim_ > kMaxInterim) {
          broken({Fault::malformed, fmt::format("{} sent an interim answer ({}) that nobody asked for",
                                                key_.origin.authority(), head.status)});
          return false;
        }
        parser_.finish(input_);
        parser_.start(call_->request_.to_head);
        if (input_.size() == 0) return true;
        continue;
      }
      head_seen_ = true;
      call_->receiver_->on_head(head);
      if (call_ == nullptr) return false;
      if (all_sent_) call_->drop_request();
      continue;
    }
    if (!head_seen_) return true;
    if (const auto bytes = parser_.body(input_); !bytes.empty()) {
      call_->receiver_->on_body(bytes);
      if (call_ == nullptr) return false;
      parser_.drop_body(input_);
    }
    if (step == ResponseParser::Step::complete) {
      if (!parser_.trailers().empty()) call_->receiver_->on_trailers(parser_.trailers());
      if (call_ != nullptr) answered();
      return false;
    }
    call_->receiver_->on_quiet();
    return call_ != nullptr;
  }
}

bool Connection::switch_protocol(const AnswerHead& head) {
  head_seen_ = upgraded_ = true;
  finished_ = all_sent_ = false;  // the caller may write
  deadline_ = http::CoarseTime::max();
  call_->drop_request();
  head_sent_ = body_sent_ = 0;
  call_->receiver_->on_head(head);
  if (call_ == nullptr) return false;
  parser_.finish(input_);
  return hand_on_upgraded();
}

bool Connection::hand_on_upgraded() {
  if (input_.size() > 0) {
    call_->receiver_->on_body({input_.data(), input_.size()});
    if (call_ == nullptr) return false;
    input_.consume(input_.size());
  }
  call_->receiver_->on_quiet();
  return call_ != nullptr;
}

void Connection::answered() {
  const auto call = std::exchange(call_, nullptr);
  const bool reusable = !upgraded_ && parser_.keep_alive() && all_sent_;
  if (!upgraded_) parser_.finish(input_);
  if (reusable && input_.size() == 0) {
    client_->keep_idle(shared_from_this());
  } else {
    close();
  }
  Receiver* receiver = call->receiver_;
  call->ended();
  if (receiver != nullptr) receiver->on_end();
}

// The connection has ended by itself.
void Connection::lost(const std::string& why) {
  broken({Fault::broken, fmt::format("the connection to {} broke off{}: {}", key_.origin.authority(),
                                     head_seen_ ? " in the answer" : "", why)});
}

void Connection::broken(Failure failure) {
  const auto call = std::exchange(call_, nullptr);
  const bool stale = reused_ && !got_bytes_ && failure.fault == Fault::broken;
  failure.request_sent = call->sent_;
  close();
  if (stale && call->try_again(failure)) return;
  call->fail(std::move(failure));
}

void Connection::close() {
  if (client_ == nullptr) return;
  const auto keep = shared_from_this();
  Client* client = std::exchange(client_, nullptr);
  call_ = nullptr;
  boost::system::error_code ignored;
  transport_.socket().close(ignored);
  client->drop_idle(keep);
  client->remove(position);
}

// --- waiting

void Connection::become_idle() {
  expire_after(client_->options_.keep_alive);
  wait(Io::want_read);
}

void Connection::wait(Io io) {
  const bool read = io == Io::want_read;
  bool& waiting = read ? waiting_read_ : waiting_write_;
  if (waiting || client_ == nullptr) return;
  waiting = true;
  transport_.socket().async_wait(read ? Socket::wait_read : Socket::wait_write,
                                 [keep = shared_from_this(), read](const boost::system::error_code& ec) {
                                   (read ? keep->waiting_read_ : keep->waiting_write_) = false;
                                   if (!ec && keep->client_ != nullptr) keep->on_ready();
                                 });
}

void Connection::on_ready() {
  guarded([this] {
    if (call_ == nullptr) {
      if (!quiet()) return close();
      return wait(Io::want_read);  // session tickets and the like
    }
    send();
    receive();
  });
}

void Connection::sweep(http::CoarseTime now) {
  if (now < deadline_ || client_ == nullptr) return;
  if (call_ == nullptr) return close();
  const std::string name = key_.origin.authority();
  guarded([&] {
    if (!all_sent_ && !write_failed_) {
      broken({Fault::idle_timeout,
              fmt::format("{} does not take {}", name, upgraded_ ? "what it is sent" : "the request")});
    } else if (!head_seen_) {
      broken({Fault::first_byte_timeout, fmt::format("{} did not answer in time", name)});
    } else {
      broken({Fault::idle_timeout, fmt::format("the answer of {} did not go on in time", name)});
    }
  });
}

}  // namespace weir::upstream
