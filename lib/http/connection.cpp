// The state machine of a connection: requests in, answers out. The socket's side is in connection_io.cpp,
// what streamed routes need beyond that in connection_streamed.cpp.
#include "http/connection.hpp"

#include <utility>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace weir::http {
namespace {

constexpr std::size_t kGatherBytes = 32 * 1024;  // answers to pipelined requests are sent together up to here
constexpr int kPiecesInTurn = 16;                // of a stream, before other connections have their turn

}  // namespace

Connection::Connection(std::shared_ptr<Connections> shared, Socket socket, bool unix_socket, bool refused)
    : shared_(std::move(shared)),
      socket_(std::move(socket)),
      unix_socket_(unix_socket),
      refused_(refused),
      parser_(shared_->options.max_header_bytes, shared_->options.max_body_bytes) {}

void Connection::start(Connections::List::iterator position) {
  position_ = position;
  boost::system::error_code ignored;  // a client that is gone already shows at the first read
  socket_->non_blocking(true, ignored);
  if (unix_socket_) {
    peer_ = peer_of(socket_->native_handle());
    if (peer_) shared_->peers.connected(*peer_, coarse_now());
  } else {
    socket_->set_option(boost::asio::ip::tcp::no_delay(true), ignored);
  }
  if (const int bytes = shared_->options.send_buffer_bytes; bytes > 0) {
    socket_->set_option(boost::asio::socket_base::send_buffer_size(bytes), ignored);
  }
  if (refused_) {
    close_after_ = input_unread_ = true;
    answer_problem({.status = 503, .detail = "too many connections", .headers = "Retry-After: 1\r\n"});
  }
  guarded([this] { advance(); });
}

void Connection::empty(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > InputBuffer::kKeepBytes) std::string().swap(buffer);
}

void Connection::advance() {
  if (advancing_) return;  // the loop below goes on with whatever changed
  const auto keep = self();
  advancing_ = true;
  // What a client sends in a protocol of its own does not wait for what it has yet to receive.
  if (writing_ && upgraded_) pump_upgraded();
  bool go_on = true;
  while (go_on && !writing_) {
    switch (state_) {
      case State::receiving:
        go_on = receive();
        break;
      case State::owed:
      case State::pushing:
        go_on = await_handler();
        break;
      case State::streaming:
        go_on = next_piece();
        break;
      case State::answered:
        go_on = finish_answer();
        break;
      case State::lingering:
      case State::closed:
        go_on = false;
        break;
    }
  }
  advancing_ = false;
}

bool Connection::receive() {
  while (state_ == State::receiving) {
    switch (parser_.parse(input_)) {
      case RequestParser::Step::head_done:
        head_done();
        break;
      case RequestParser::Step::complete:
        dispatch();
        break;
      case RequestParser::Step::failed:
        refuse_and_close(
            {.status = parser_.refusal().status, .detail = std::string(parser_.refusal().detail)});
        break;
      case RequestParser::Step::need_more:
        if (parser_.head_done() && parser_.expects_continue() && !parser_.http_1_0() && !continue_said_) {
          continue_said_ = true;
          out_ += "HTTP/1.1 100 Continue\r\n\r\n";
        }
        if (flush()) wait_for_input();
        return false;
    }
  }
  return true;
}

void Connection::wait_for_input() {
  if (shared_->stopping() && input_.size() == 0) end_if_idle();
  if (state_ != State::receiving) return;
  // Blank lines before a request are dropped, but it has begun with them.
  const bool begun = input_.size() > 0 || waiting_ == Waiting::head;
  const auto waiting = parser_.head_done() ? Waiting::body : begun ? Waiting::head : Waiting::request;
  if (waiting != waiting_) {  // and not at every byte: a slow client cannot renew its deadline
    waiting_ = waiting;
    expire_after(waiting == Waiting::body   ? shared_->options.body_timeout
                 : waiting == Waiting::head ? shared_->options.header_timeout
                                            : shared_->options.idle_timeout);
  }
  start_read();
}

void Connection::view_request() {
  parser_.view(input_, request_);
  request_.over_unix_socket = unix_socket_;
  request_.consumer = consumer_;
  request_.peer = peer_;
  if (request_.request_id.empty()) {
    if (own_id_[0] == '\0') shared_->ids.next(own_id_);
    request_.request_id = {own_id_.data(), own_id_.size()};
  }
}

// Answers what needs no body to be refused, before the body is read.
void Connection::head_done() {
  view_request();
  const auto& route = shared_->streamed;
  const bool streamed = !route.prefix.empty() && request_.path.starts_with(route.prefix);
  if (!unix_socket_) {
    if (const auto problem = shared_->guard.check({.host = parser_.host(),
                                                   .target_authority = parser_.target_authority(),
                                                   .origin = parser_.origin()})) {
      return parser_.body_done() ? refuse(*problem) : refuse_and_close(*problem);
    }
  }
  if (!streamed) {
    if (const auto problem = look_at_token())
      return parser_.body_done() ? refuse(*problem) : refuse_and_close(*problem);
  }
  if (streamed) {
    streamed_ = true;
    parser_.stream_body();
    return dispatch();
  }
  if (const auto length = parser_.content_length(); length && *length > shared_->options.max_body_bytes) {
    refuse_and_close({.status = 413,
                      .detail = "the body has " + std::to_string(*length) + " bytes; " +
                                std::to_string(shared_->options.max_body_bytes) + " are accepted"});
  }
}

Caller Connection::identify(std::string_view secret) {
  return shared_->credentials.identify(secret, !unix_socket_, coarse_now());
}

std::optional<Problem> Connection::look_at_token() {
  const Caller caller = identify(bearer_token(parser_.authorization().value_or(std::string_view())));
  consumer_ = caller.consumer;
  if (!caller.known && !shared_->is_public(request_.path)) {
    return Problem{.status = 401,
                   .title = "Token required",
                   .detail = "send the daemon's token, or a consumer's, as \"Authorization: Bearer ...\"",
                   .headers = "WWW-Authenticate: Bearer\r\n"};
  }
  if (caller.wait_s > 0) {
    too_many_requests_ = std::make_unique<Problem>(Problem{
        .status = 429,
        .type = "urn:weir:problem:too-many-requests",
        .title = "Too many requests",
        .detail =
            fmt::format("consumer {} may send {} requests a second, and this one was not looked at; send "
                        "it again later (requests_per_s in [[consumers]] of the configuration)",
                        caller.consumer, caller.requests_per_s),
        .headers = fmt::format("Retry-After: {}\r\n", caller.wait_s)});
  }
  return std::nullopt;
}

void Connection::refuse(const Problem& problem) {
  ++shared_->stats.bad_requests;
  close_after_ = close_after_ || !parser_.head_done() || !parser_.keep_alive();
  answer_problem(problem);
}

void Connection::answer_problem(const Problem& problem) {
  view_request();
  const std::string body = to_json(problem);
  put_answer({.status = problem.status,
              .content_type = "application/problem+json",
              .body = body,
              .headers = problem.headers},
             Framing::length);
  state_ = State::answered;
}

void Connection::refuse_and_close(const Problem& problem) {
  close_after_ = true;
  input_unread_ = true;
  refuse(problem);
}

void Connection::dispatch() {
  view_request();
  if (const auto problem = std::exchange(too_many_requests_, nullptr)) return refuse(*problem);
  state_ = State::owed;
  deadline_ = CoarseTime::max();  // the handler's own
  close_after_ = !parser_.keep_alive();
  ++shared_->stats.requests;
  call(streamed_ ? shared_->streamed.handler : shared_->handler);
}

void Connection::call(const Server::Handler& handler) {
  try {
    handler(*this);
    return;
  } catch (const std::exception& error) {
    spdlog::error("request {} {}: {}", request_.request_id, request_.path, error.what());
  } catch (...) {
    spdlog::error("request {} {}: unknown exception", request_.request_id, request_.path);
  }
  if (state_ == State::owed) {
    reply(Problem{.status = 500, .detail = "an error in the daemon; its log tells more by the request id"});
  }
}

void Connection::reply(const Problem& problem) {
  http::reply(*this, problem);
}

void Connection::put_answer(const Reply& reply, Framing framing) {
  const bool bodiless = request_.method == Method::head || reply.status == 204 || reply.status == 304;
  if (body_under_way()) close_after_ = input_unread_ = true;
  if (shared_->stopping() && !more_input()) close_after_ = true;
  said_close_ = close_after_;
  answer_.clear();
  ReplyHead head{.status = reply.status,
                 .content_type = reply.content_type,
                 .content_length = std::nullopt,
                 .chunked = framing == Framing::chunked,
                 .persistence = close_after_         ? Persistence::close
                                : parser_.http_1_0() ? Persistence::keep_alive
                                                     : Persistence::implied,
                 .date = shared_->date.now(),
                 .request_id = request_.request_id,
                 .headers = reply.headers};
  if (framing == Framing::length && reply.status != 204 && reply.status != 304)
    head.content_length = reply.body.size();
  append_head(answer_, head);
  answer_head_ = answer_.size();
  if (!bodiless) answer_ += reply.body;
}

void Connection::write(const Reply& reply) {
  if (state_ == State::owed) put_answer(reply, Framing::length);  // else the client is gone
}

void Connection::send() {
  if (state_ != State::owed) return;
  if (answer_.empty()) {
    spdlog::error("request {} {}: sent without an answer", request_.request_id, request_.path);
    return reply(Problem{.status = 500});
  }
  state_ = State::answered;
  guarded([this] { advance(); });
}

void Connection::committed(ledger::Commit result) {
  if (result != ledger::Commit::failed) return send();
  if (state_ != State::owed) return;
  reply(Problem{.status = 503,
                .detail =
                    "the ledger cannot be written. A call was neither admitted nor recorded; a settlement "
                    "or a cancellation is held in memory until it can be written. Try again",
                .headers = "Retry-After: 1\r\n"});
}

void Connection::on_abandoned(std::function<void()> callback) {
  if (state_ == State::closed) {
    if (callback) boost::asio::post(shared_->executor, std::move(callback));
  } else if (state_ == State::owed || state_ == State::pushing) {
    abandoned_ = std::move(callback);
    if (!advancing_ && wants_watch()) watch();
  }
}

bool Connection::finish_answer() {
  if (shared_->stopping() && !close_after_ && !more_input()) {
    close_after_ = true;  // the stop came after write()
    if (!said_close_ && !answer_.empty() && !parser_.http_1_0())
      answer_.insert(answer_head_ - 2, "Connection: close\r\n");
  }
  if (out_.empty()) {
    out_.swap(answer_);
  } else {
    out_ += answer_;
  }
  empty(answer_);
  abandoned_ = nullptr;
  if (close_after_) {
    if (flush()) linger();
    return false;
  }
  ++served_;
  parser_.finish(input_);
  request_ = {};
  own_id_[0] = '\0';
  empty(scratch_);
  consumer_.clear();
  waiting_ = Waiting::nothing;
  continue_said_ = data_waits_ = false;
  if (streamed_) forget_stream();
  state_ = State::receiving;
  return (input_.size() > 0 && out_.size() < kGatherBytes) || flush();
}

void Connection::stream(int status, std::string_view content_type, Source source) {
  if (state_ != State::owed) return;
  chunked_ = !parser_.http_1_0();
  if (!chunked_) close_after_ = true;
  put_answer({.status = status, .content_type = content_type, .body = {}},
             chunked_ ? Framing::chunked : Framing::until_close);
  if (request_.method == Method::head) return send();
  out_ += answer_;
  answer_.clear();
  abandoned_ = nullptr;
  source_ = std::move(source);
  piece_asked_ = last_piece_ = false;
  head_only_ = true;
  state_ = State::streaming;
  guarded([this] { advance(); });
}

bool Connection::next_piece() {
  if (!head_only_ && !flush()) return false;
  if (last_piece_) {
    source_ = nullptr;
    state_ = State::answered;
    return true;
  }
  if (piece_asked_) {
    watch();
    return false;
  }
  if (pieces_in_turn_ >= kPiecesInTurn) {
    pieces_in_turn_ = 0;
    posted_ = true;
    boost::asio::post(socket_->get_executor(), [keep = self()] {
      keep->posted_ = false;
      keep->guarded([&] { keep->advance(); });
    });
    return false;
  }
  ++pieces_in_turn_;
  head_only_ = false;
  piece_asked_ = true;
  ++ask_;
  // Out of the member: it may end this connection, and with it the source, while it runs.
  Source source = std::move(source_);
  source([keep = self(), ask = ask_](std::optional<std::string> bytes, bool last) {
    keep->on_piece(ask, std::move(bytes), last);
  });
  if (state_ == State::streaming) source_ = std::move(source);
  return true;
}

void Connection::on_piece(std::uint64_t ask, std::optional<std::string> bytes, bool last) {
  if (state_ != State::streaming) return;
  if (!piece_asked_ || ask != ask_)
    return spdlog::error("request {}: a piece that nobody asked for", request_.request_id);
  guarded([&] {
    if (!bytes) return close();
    piece_asked_ = false;
    last_piece_ = last;
    if (!chunked_) {
      out_ += *bytes;
    } else {
      if (!bytes->empty()) append_chunk(out_, *bytes);
      if (last) out_ += "0\r\n\r\n";
    }
    advance();
  });
}

}  // namespace weir::http
