// One request and its answer, as a route sees it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/credentials.hpp"
#include "http/peers.hpp"
#include "ledger/ledger.hpp"

namespace weir::http {

enum class Method : std::uint8_t { get, head, post, del, options, other };

// Views live until the answer is sent; send() may bring the connection's next request at once. While a body
// is received in pieces they may move: ask for request() again, do not keep it.
struct Request {
  Method method = Method::other;
  std::string_view method_name;  // as sent: "PUT"
  std::string_view target;       // as sent
  std::string_view path;         // without the query, not decoded
  std::string_view query;        // after '?', not decoded
  std::string_view body;         // followed by at least 64 readable bytes (simdjson's padding)
  // What the head says of the body; nullopt: chunked, or none.
  std::optional<std::uint64_t> content_length;
  bool chunked = false;
  std::string_view trailers;  // of a chunked body that has come whole: lines, each ended by "\r\n"
  // The caller's X-Request-Id if it is sane (1-128 of [A-Za-z0-9._:-]), else ours: 16 hex digits.
  std::string_view request_id;
  // Whose token the caller presented: it may see and settle only what is that consumer's. Empty: everything.
  // Not set for streamed routes: see Exchange::identify().
  std::string_view consumer;
  bool over_unix_socket = false;
  std::optional<Peer> peer;  // over a Unix socket

  // Value of the first header of that name (any case); empty if absent.
  [[nodiscard]] std::string_view header(std::string_view name) const;
  // All of them, in order: name and value.
  [[nodiscard]] std::size_t header_count() const;
  [[nodiscard]] std::pair<std::string_view, std::string_view> header_at(std::size_t index) const;
  const void* fields_ = nullptr;  // the parser's fields, for header()
};

struct Reply {
  int status = 200;
  std::string_view content_type = "application/json";
  std::string_view body = {};
  std::string_view headers = {};  // more header lines, each ended by "\r\n"
};

// Produces the next piece of a streamed body when asked, on any thread it likes; calls `deliver` exactly once
// per call, on the loop thread, with the bytes and whether they are the last; without bytes if it cannot go
// on, which ends the connection. Asked again only after the piece was written (backpressure).
using Source = std::function<void(std::function<void(std::optional<std::string> bytes, bool last)> deliver)>;

// Takes a request's body as it comes in: `bytes` are valid during the call; after the last piece (which may
// be empty) there are no more. False: enough for now, until resume_body().
using BodySink = std::function<bool(std::string_view bytes, bool last)>;

// The head of an answer whose body is pushed. With status 101 the protocol changes: see begin().
struct PushedHead {
  int status = 200;
  std::string_view reason = {};   // empty: the usual one
  std::string_view headers = {};  // lines, each ended by "\r\n"; none that says how the body is framed
  std::optional<std::uint64_t> content_length =
      {};                       // nullopt: chunked; HTTP/1.0 clients get it ended by close
  bool has_date = false;        // `headers` holds one: none is added
  bool has_request_id = false;  // likewise
};

// A route calls exactly one of: reply(); write() and later send() or wait for the ledger's committed();
// stream(); begin() and later end() or abort(). Then it lets go of the Exchange, which goes on to serve the
// next request of its connection.
class Exchange : public ledger::Waiter, public std::enable_shared_from_this<Exchange> {
 public:
  [[nodiscard]] virtual const Request& request() const = 0;

  // Puts the whole answer (status line, headers, body) as bytes into the connection's buffer, replacing one
  // written before.
  virtual void write(const Reply& reply) = 0;
  // Sends what write() left. Any later turn of the loop; the Exchange must be kept alive by a shared_ptr
  // until then.
  virtual void send() = 0;
  void reply(const Reply& reply) {
    write(reply);
    send();
  }
  // Chunked; HTTP/1.0 clients get it ended by close.
  virtual void stream(int status, std::string_view content_type, Source source) = 0;

  // Durable or spooled: sends what write() left. Failed: replaces it by a 503 problem with Retry-After: 1,
  // and sends that.
  void committed(ledger::Commit result) override = 0;

  // Calls back once if the client closes while the answer is still owed (a waiting call gives up its place),
  // or while it is pushed.
  // Only watched if set; an empty callback ends the watch. It may still answer from within the callback;
  // afterwards the connection is closed, and whatever it is told does nothing. A client that closes its half
  // of the connection counts as gone.
  virtual void on_abandoned(std::function<void()> callback) = 0;

  // --- For routes that are called as soon as the head is there (Server's `streamed`) ---

  // Whose `secret` this is, which the caller presented somewhere. Counts as a request.
  virtual Caller identify(std::string_view secret) = 0;

  // The body, from its beginning; once. Only now is "Expect: 100-continue" answered. `sink` is called from
  // here or later, the last time with `last`; never again once the client has gone, of which on_abandoned()
  // tells: a client that sends nothing for body_timeout, or no valid chunks, counts as gone. An answer that
  // begins before the whole body has come is the connection's last.
  virtual void receive_body(BodySink sink) = 0;
  virtual void resume_body() = 0;

  // An answer whose pieces are pushed as they come. begin() and push() only fill the connection's buffer;
  // what was given since the last flush() leaves in one write. on_abandoned() works until end().
  //
  // Status 101, for an HTTP/1.1 request without a body, before receive_body(): the protocol changes
  // (`headers` has the Upgrade line). From here on receive_body() takes the bytes that the client sends as
  // they come, without an end or a deadline, push() sends as it is told, and end() ends the connection.
  // request() is empty.
  virtual void begin(const PushedHead& head) = 0;
  virtual void push(std::string_view bytes) = 0;
  // False: the client takes no more for now, or has gone. Whoever goes on pushing fills the memory.
  virtual bool flush() = 0;
  // Calls back once, from here or later, when all that was pushed has left.
  virtual void on_drained(std::function<void()> callback) = 0;
  // Lines, each ended by "\r\n", that end() sends after a chunked body; else they are dropped.
  virtual void push_trailers(std::string_view lines) = 0;
  virtual void end() = 0;
  // The body cannot be completed: ends the connection so that the client notices.
  virtual void abort() = 0;
  // Closes the connection now, whatever is still to be sent. on_abandoned() is not called.
  virtual void drop() = 0;

  // A reusable buffer of this connection for building bodies; cleared by the caller.
  virtual std::string& scratch() = 0;
};

}  // namespace weir::http
