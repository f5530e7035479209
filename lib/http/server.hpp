// The HTTP/1.1 server: TCP and Unix sockets, one loop thread, bounded in every direction.
//
// Thread rule: everything, the destructor too, on the thread that runs `loop` (or while none does).
// On TCP, before a route sees a request: its Host must be a loopback name, an address that the server was
// told to bind to, or one of allowed_hosts, else 403 (DNS rebinding); so must its Origin, if it has one, or
// be the same host as Host; with a bearer_token, 401 without it or a consumer's, but for public paths. A Unix
// socket asks none of this: its file mode decides. On either, who presents a consumer's token has that
// consumer's rights, and 429 when it sends more requests than it may. Malformed or oversized requests never
// reach the handler: 400, 408, 413, 417, 431, 501 as problem details, and the connection is closed after the
// client had time to read that.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "http/credentials.hpp"
#include "http/exchange.hpp"

namespace weir::http {

struct ServerOptions {
  std::vector<std::string>
      listen;  // "127.0.0.1:8411", "[::1]:0", "localhost:8411", "unix:/run/weir/weir.sock"
  // Listening sockets that are there already, and their addresses in the same form; they are closed, but no
  // file is removed, and what waits in their backlog is left to whoever holds them too.
  std::vector<std::pair<int, std::string>> given{};
  std::vector<std::string> allowed_hosts;  // beside loopback names
  std::string bearer_token;                // empty: none asked. Compared in constant time
  std::vector<ConsumerToken> consumers{};
  std::vector<std::string> public_paths;  // for which no token is asked, beside /livez and /readyz
  // Past it an idle connection ends for a new one; if none is idle, the new one is answered 503 and closed.
  std::size_t max_connections = 4096;
  std::size_t max_header_bytes = 16 * 1024;  // past it 431; so are more than 128 header lines
  std::size_t max_body_bytes = 1 << 20;      // past it 413
  // Looked at once a second (more often if one is shorter than 4 s), so they end a little late.
  std::chrono::milliseconds header_timeout{
      10'000};  // from the first byte of a request to the end of its header
  // From there to the end of its body; of a streamed one, between two pieces.
  std::chrono::milliseconds body_timeout{30'000};
  std::chrono::milliseconds write_timeout{30'000};  // without progress
  std::chrono::milliseconds idle_timeout{75'000};   // between requests, and before the first
  // So long it does not make room for others: who talks on it would often find it closed.
  std::chrono::milliseconds idle_grace{1'000};
  std::chrono::milliseconds linger_timeout{2'000};  // for a refused client to read its answer
  int send_buffer_bytes = 0;                        // SO_SNDBUF of connections; 0: the system's
};

struct ServerStats {
  std::size_t connections = 0;  // open now
  std::uint64_t accepted = 0;
  std::uint64_t refused = 0;    // connections beyond max_connections
  std::uint64_t displaced = 0;  // idle ones that ended for new ones
  std::uint64_t requests = 0;   // that the handler saw
  // That it did not: malformed, too large, too many, refused by Host, Origin or token.
  std::uint64_t bad_requests = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t accept_errors = 0;
};

class Server {
 public:
  // May answer at once or later. If it throws, the client gets a 500 and the log the reason.
  using Handler = std::function<void(Exchange&)>;

  // A route that streams: called for paths that begin with `prefix` as soon as the head is there, to receive
  // the body itself, of whatever size. It also looks for the caller's token itself, and has it looked up by
  // Exchange::identify().
  struct Streamed {
    std::string prefix;  // "/proxy/"; empty: no such route
    Handler handler;
  };

  Server(boost::asio::io_context& loop, ServerOptions options, Handler handler)
      : Server(loop, std::move(options), std::move(handler), Streamed{}) {}
  Server(boost::asio::io_context& loop, ServerOptions options, Handler handler, Streamed streamed);
  // Closes everything at once. An Exchange that is still held may be answered later; that does nothing.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds all addresses, but for those of which there is a given socket. Throws std::system_error whose
  // what() names the address and says what to do. A stale Unix socket file is replaced, a live one is an
  // error; its mode is 0660. "[::]" does not take IPv4 connections: list "0.0.0.0" too.
  void listen();
  // From the next request on: allowed_hosts, bearer_token, consumers, max_connections; from the next
  // connection on, max_header_bytes and max_body_bytes. The rest of `options` stays as it was.
  // True: other tokens than before hold.
  bool reconfigure(const ServerOptions& options);
  // What was bound, ports resolved ("127.0.0.1:43817").
  [[nodiscard]] std::vector<std::string> addresses() const;
  // Stops accepting (what waits in the backlog is still accepted), closes idle connections, serves what has
  // begun to come in, lets the answers under way be sent (with Connection: close), then calls `done`; after
  // `patience` closes what is left and calls it all the same. `done` is called once, from a later turn of the
  // loop.
  void stop(std::chrono::milliseconds patience, std::function<void()> done);
  [[nodiscard]] const ServerStats& stats() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace weir::http
