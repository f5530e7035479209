// One client's connection: reads requests one at a time and in order, hands each to the handler as an
// Exchange, and writes the answers. Kept alive by the list in Connections while it is open, by the operations
// under way, and by whoever holds the Exchange. Loop thread. A failing socket or client closes it; an
// exception of a handler becomes a 500.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "http/connections.hpp"
#include "http/input_buffer.hpp"
#include "http/request_parser.hpp"

namespace weir::http {

class Connection final : public Exchange {
 public:
  // `refused`: it is one too many, and only gets a 503.
  Connection(std::shared_ptr<Connections> shared, Socket socket, bool unix_socket, bool refused);

  void start(Connections::List::iterator position);
  // Ends it if it is idle, else after what has begun.
  void begin_stop();
  // Ends it now. Tells whoever asked by on_abandoned(), unless `silent`.
  void close(bool silent = false);
  // Looks after timeouts; called by the one timer of the server.
  void sweep(CoarseTime now);
  [[nodiscard]] bool refused() const { return refused_; }
  // Between requests, or before the first, for longer than a moment: nothing is lost if it ends.
  [[nodiscard]] bool idle();
  [[nodiscard]] CoarseTime deadline() const { return deadline_; }

  // Exchange
  const Request& request() const override { return request_; }
  void write(const Reply& reply) override;
  void send() override;
  void stream(int status, std::string_view content_type, Source source) override;
  void committed(ledger::Commit result) override;
  void on_abandoned(std::function<void()> callback) override;
  std::string& scratch() override { return scratch_; }
  Caller identify(std::string_view secret) override;
  void receive_body(BodySink sink) override;
  void resume_body() override;
  void begin(const PushedHead& head) override;
  void push(std::string_view bytes) override;
  bool flush() override;  // out_ -> socket; false: it is not all out yet
  void on_drained(std::function<void()> callback) override;
  void push_trailers(std::string_view lines) override;
  void end() override;
  void abort() override;
  void drop() override { close(true); }

 private:
  enum class State : std::uint8_t {
    receiving,  // between requests, or in the middle of one
    owed,       // the handler has the request; its answer is not ready
    streaming,  // the head was given, pieces of the body are asked for
    pushing,    // the head was given, the handler pushes the body
    answered,   // the answer is ready to go out
    lingering,  // everything is sent; the client may read it before the connection goes
    closed,
  };

  // Runs the state machine until it has to wait: for bytes, for the socket, for the handler.
  void advance();
  bool receive();  // these return false if advance() has to wait
  bool finish_answer();
  bool next_piece();
  bool await_handler();
  void pump_body();
  void pump_upgraded();
  void forget_stream();
  void body_failed();

  void view_request();
  void head_done();
  [[nodiscard]] std::optional<Problem> look_at_token();
  void dispatch();
  void call(const Server::Handler& handler);
  void refuse(const Problem& problem);  // an answer of our own; the connection goes on
  void refuse_and_close(const Problem& problem);
  void answer_problem(const Problem& problem);
  void wait_for_input();
  void on_piece(std::uint64_t ask, std::optional<std::string> bytes, bool last);
  enum class Framing : std::uint8_t { length, chunked, until_close };
  void put_answer(const Reply& reply, Framing framing);
  // The client has yet to send a part of the body that a streamed route may not want.
  [[nodiscard]] bool body_under_way() const { return streamed_ && !parser_.body_done(); }
  [[nodiscard]] bool more_input() const { return input_.size() > parser_.parsed(); }

  static void empty(std::string& buffer);  // and gives a large one's memory back
  void start_read(std::size_t least = InputBuffer::kInitialBytes / 4);
  void on_read(const boost::system::error_code& ec, std::size_t count);
  void start_write();
  void on_writable(const boost::system::error_code& ec);
  void watch();  // for the client's leaving while it is owed an answer
  void on_watch(const boost::system::error_code& ec);
  [[nodiscard]] bool client_gone(bool& data_waits);
  void abandoned();
  void linger();
  void end_if_idle();
  void expire_after(std::chrono::milliseconds timeout) { deadline_ = coarse_now() + timeout; }
  [[nodiscard]] bool wants_watch() const {
    return ((state_ == State::owed || state_ == State::pushing) && abandoned_ != nullptr && !reading_) ||
           (state_ == State::streaming && piece_asked_);
  }
  std::shared_ptr<Connection> self() { return std::static_pointer_cast<Connection>(shared_from_this()); }
  // Bugs and bad_alloc end the connection, not the process.
  template <class Work>
  void guarded(const Work& work) {
    try {
      work();
    } catch (const std::exception& error) {
      failed(error.what());
    } catch (...) {
      failed("unknown exception");
    }
  }
  void failed(const char* what);
  using Exchange::reply;
  void reply(const Problem& problem);

  const std::shared_ptr<Connections> shared_;
  std::optional<Socket> socket_;  // none once closed: an Exchange may be held for longer than the loop lives
  const bool unix_socket_;
  std::optional<Peer> peer_;
  const bool refused_;
  Connections::List::iterator position_;

  State state_ = State::receiving;
  bool advancing_ = false;
  bool reading_ = false;  // an operation of that kind is under way
  bool writing_ = false;  // the client takes no more for now: waits until it does
  bool watching_ = false;
  bool posted_ = false;
  bool close_after_ = false;    // this answer is the last
  bool said_close_ = false;     // and its head says so
  bool input_unread_ = false;   // the client may still be sending what we will not serve
  bool data_waits_ = false;     // pipelined bytes hide the client's leaving from the watch
  bool continue_said_ = false;  // 100 Continue
  enum class Waiting : std::uint8_t {
    nothing,
    request,
    head,
    body
  } waiting_ = Waiting::nothing;  // what deadline_ is for
  std::uint32_t served_ = 0;
  CoarseTime deadline_ = CoarseTime::max();

  InputBuffer input_;
  RequestParser parser_;
  Request request_;
  std::array<char, 16> own_id_{};
  std::string consumer_;                        // whose token came with the request under way
  std::unique_ptr<Problem> too_many_requests_;  // what it is answered once its body has come

  std::string answer_;           // of the request under way, until it is ready
  std::size_t answer_head_ = 0;  // length of its head
  std::string out_;              // on its way to the socket
  std::size_t out_sent_ = 0;
  std::string scratch_;
  std::function<void()> abandoned_;

  Source source_;
  std::uint64_t ask_ = 0;  // tells a piece that was delivered twice, or to an earlier stream
  bool piece_asked_ = false;
  bool head_only_ = false;  // the stream's head may wait for its first piece
  bool chunked_ = false;
  bool last_piece_ = false;
  int pieces_in_turn_ = 0;

  bool streamed_ = false;  // the request under way was dispatched at its head
  bool bodiless_ = false;  // the pushed answer has no body, whatever is pushed
  bool upgraded_ = false;  // the answer was 101: no more HTTP on this connection
  enum class Body : std::uint8_t { unasked, wanted, paused, done } body_ = Body::unasked;  // of that request
  BodySink sink_;
  std::function<void()> drained_;
  std::string trailers_;  // of the pushed answer
};

}  // namespace weir::http
