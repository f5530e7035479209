// One request to an upstream and its answer. Made by Client; shared by whoever asked and by the connection
// that serves it; loop thread.
//
// Backpressure both ways: a streamed body is taken while write() says true, then again from on_room(); the
// answer is handed on as it is read, at most 64 KiB at a time, and not while paused.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/coarse_time.hpp"

#include "upstream/failure.hpp"
#include "upstream/origin.hpp"
#include "upstream/response_parser.hpp"
#include "upstream/via.hpp"

namespace weir::upstream {

class Client;
class Connection;
class Dialer;
class TlsContext;

constexpr std::size_t kOneWriteBytes = 32 * 1024;  // a body up to here goes out with its head

struct Request {
  Origin origin;
  const TlsContext* tls = nullptr;  // for a TLS origin; must outlive the call
  std::optional<Via> via = {};      // the HTTP proxy on the way there
  std::string head;         // request line and header lines, with the empty line; a small body joins it
  std::string body;         // whole; empty if there is none or it is streamed
  bool streamed = false;    // the body comes by write() and finish()
  bool chunked = false;     // and is sent in chunks
  bool to_head = false;     // the method is HEAD
  bool upgrade = false;     // asks for another protocol, and has no body
  bool idempotent = false;  // may be sent again even if the server may have acted on it (RFC 9110, 9.2.2)
};

// What happens to a call, in this order: on_sent() (once; the answer may come before it), on_head(),
// on_body() for each piece, on_trailers() if there are any, then on_end() or, at any point, on_failure().
// From within any of these the call may be cancelled. Views are valid during the call only.
//
// A request that asks for another protocol may be answered 101 (on_head()). Then both sides send what they
// like: write() goes on, without chunks and without finish(), on_body() gets what comes, and on_end() says
// that the server has ended the connection. No deadline applies to silence.
class Receiver {
 public:
  virtual ~Receiver() = default;
  virtual void on_connected(bool reused) = 0;  // the request goes out now
  virtual void on_sent() = 0;                  // all of it was handed to the connection
  virtual void on_room() = 0;                  // write() may go on
  virtual void on_head(const AnswerHead& head) = 0;
  virtual void on_body(std::string_view bytes) = 0;
  virtual void on_quiet() = 0;                   // all that was received so far has been handed on
  virtual void on_trailers(std::string_view) {}  // lines, each ended by "\r\n"
  virtual void on_end() = 0;
  virtual void on_failure(const Failure& failure) = 0;
};

class Call : public std::enable_shared_from_this<Call> {
 public:
  Call(Client& client, Request request, Receiver& receiver);

  // Takes a connection that waits, or dials. Calls the receiver from here or later.
  void start();
  // A streamed body, from on_connected() on. False: enough for now, until on_room(). A request that is sent
  // again has no connection for a while: what is written then waits in memory.
  bool write(std::string_view bytes);
  // `trailers`: lines, each ended by "\r\n"; sent only if the body is chunked.
  void finish(std::string_view trailers = {});
  // No more of the answer for now.
  void pause();
  void resume();
  // No more callbacks; what is under way is broken off.
  void cancel();

  [[nodiscard]] bool request_sent() const { return sent_; }
  // The body, given back; in on_head() of a request that was sent whole. Empty if it was streamed.
  [[nodiscard]] std::string take_body();

 private:
  friend class Connection;
  friend class Client;

  void dial();
  void run_on(std::shared_ptr<Connection> connection, bool reused);
  // The connection broke off before any byte of an answer: sends the request again, once, on a fresh one, if
  // that is safe.
  bool try_again(const Failure& failure);
  // It will not be sent again: a stream of hours need not keep a body of megabytes.
  void drop_request() { request_.head = request_.body = std::string(); }
  void append_piece(std::string& out, std::string_view bytes) const;
  void append_end(std::string& out, std::string_view trailers) const;
  void sweep(http::CoarseTime now);
  void fail(Failure failure);
  void ended();  // by the connection: nothing of this call is under way any more

  Client* client_;  // null: over
  Request request_;
  Receiver* receiver_;  // null: cancelled, or over
  std::shared_ptr<Connection> connection_;
  std::shared_ptr<Dialer> dialer_;
  http::CoarseTime dial_deadline_{};
  std::size_t body_at_ = 0;  // in the head, if it goes out with that
  bool body_begun_ = false;  // of a streamed one: it cannot be sent again
  std::string early_;        // of a streamed body: what came while there was no connection, as it is sent
  bool early_end_ = false;   // that is all of it
  bool retried_ = false;
  bool sent_ = false;
};

}  // namespace weir::upstream
