// One request and its answer, as a route sees it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/ledger.hpp"

namespace weir::http {

enum class Method : std::uint8_t { get, head, post, del, options, other };

// Views live until the answer is sent; send() may bring the connection's next request at once.
struct Request {
  Method method = Method::other;
  std::string_view target;  // as sent
  std::string_view path;    // without the query, not decoded
  std::string_view query;   // after '?', not decoded
  std::string_view body;    // followed by at least 64 readable bytes (simdjson's padding)
  // The caller's X-Request-Id if it is sane (1-128 of [A-Za-z0-9._:-]), else ours: 16 hex digits.
  std::string_view request_id;
  bool over_unix_socket = false;

  // Value of the first header of that name (any case); empty if absent.
  [[nodiscard]] std::string_view header(std::string_view name) const;
  const void* fields_ = nullptr;  // the parser's fields, for header()
};

struct Reply {
  int status = 200;
  std::string_view content_type = "application/json";
  std::string_view body = {};
  std::string_view headers = {};  // more header lines, each ended by "\r\n"
};

// Produces the next piece of a streamed body when asked, on any thread it likes; calls `deliver` exactly once
// per call, on the loop thread, with the bytes and whether they are the last. Asked again only after the
// piece was written (backpressure).
using Source = std::function<void(std::function<void(std::string bytes, bool last)> deliver)>;

// A route calls exactly one of: reply(); write() and later send() or wait for the ledger's committed();
// stream(). Then it lets go of the Exchange, which goes on to serve the next request of its connection.
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

  // Calls back once if the client closes while the answer is still owed (a waiting call gives up its place).
  // Only watched if set; an empty callback ends the watch. It may still answer from within the callback;
  // afterwards the connection is closed, and whatever it is told does nothing. A client that closes its half
  // of the connection counts as gone.
  virtual void on_abandoned(std::function<void()> callback) = 0;

  // A reusable buffer of this connection for building bodies; cleared by the caller.
  virtual std::string& scratch() = 0;
};

}  // namespace weir::http
