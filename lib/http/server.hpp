// The HTTP/1.1 server: TCP and Unix sockets, one loop thread, bounded in every direction.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>

#include "http/exchange.hpp"

namespace weir::http {

struct ServerOptions {
  std::vector<std::string> listen;  // "127.0.0.1:8411", "[::1]:0", "unix:/run/weir/weir.sock"
  std::vector<std::string> allowed_hosts;  // beside loopback names
  std::string bearer_token;         // empty: none asked. Compared in constant time. /livez and /readyz never ask
  std::size_t max_connections = 4096;        // past it a connection is answered 503 and closed
  std::size_t max_header_bytes = 16 * 1024;  // past it 431
  std::size_t max_body_bytes = 1 << 20;      // past it 413
  std::chrono::seconds header_timeout{10};   // from the first byte of a request to the end of its header
  std::chrono::seconds body_timeout{30};
  std::chrono::seconds write_timeout{30};    // without progress
  std::chrono::seconds idle_timeout{75};     // between requests
};

struct ServerStats {
  std::size_t connections = 0;
  std::uint64_t accepted = 0, refused = 0, requests = 0, bad_requests = 0, timeouts = 0, accept_errors = 0;
};

class Server {
 public:
  using Handler = std::function<void(Exchange&)>;

  Server(boost::asio::io_context& loop, ServerOptions options, Handler handler);
  ~Server();

  // Binds all addresses. Throws std::system_error whose what() names the address. A stale Unix socket file is replaced, a live
  // one is an error; its mode is 0660.
  void listen();
  // What was bound, ports resolved ("127.0.0.1:43817").
  [[nodiscard]] std::vector<std::string> addresses() const;
  // Stops accepting, closes idle connections, lets the answers under way be sent (with Connection: close), then calls `done`;
  // after `patience` closes what is left and calls it all the same.
  void stop(std::chrono::seconds patience, std::function<void()> done);
  [[nodiscard]] const ServerStats& stats() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::http
