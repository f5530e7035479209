// What the connections of one server share, and the list of them. Owned by the server, and by each connection
// so that answers that come after the server's end find it; loop thread.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "http/coarse_time.hpp"
#include "http/credentials.hpp"
#include "http/guard.hpp"
#include "http/peers.hpp"
#include "http/reply_head.hpp"
#include "http/server.hpp"

namespace weir::http {

class Connection;

using Executor = boost::asio::io_context::executor_type;
// TCP and Unix alike; the concrete executor saves what type erasure costs on every operation.
using Socket = boost::asio::basic_stream_socket<boost::asio::generic::stream_protocol, Executor>;

using Timer =
    boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                      boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

class Connections : public std::enable_shared_from_this<Connections> {
 public:
  using List = std::list<std::shared_ptr<Connection>>;

  Connections(boost::asio::io_context& loop, ServerOptions options, Server::Handler handler,
              Server::Streamed streamed = {});

  // Takes a fresh connection: serves it, or answers 503 if there are too many and none of them is idle.
  void add(Socket socket, bool unix_socket);
  // Ends a connection that has been idle for long, the longest of some that it looks at. False: found none.
  bool make_room();
  void remove(List::iterator position);

  // Idle ones end now, the others after their answer; calls `empty` (once) when none is left.
  void begin_stop(std::function<void()> empty);
  void close_all();
  // The server's end: all end, without callbacks into the handler's world, and the loop may go.
  void shut_down();

  // No token is asked for it.
  [[nodiscard]] bool is_public(std::string_view path) const;
  [[nodiscard]] bool stopping() const { return stopping_; }
  [[nodiscard]] bool empty() const { return list_.empty(); }

  const Executor executor;
  ServerOptions options;
  const Server::Handler handler;
  const Server::Streamed streamed;
  Guard guard;
  Credentials credentials;
  PeerLog peers;
  ServerStats stats;
  DateCache date;
  RequestIds ids;

 private:
  [[nodiscard]] bool full() const { return list_.size() - refusing_ >= options.max_connections; }
  void arm_sweep();
  void sweep();
  [[nodiscard]] std::vector<std::shared_ptr<Connection>> snapshot() const;

  std::optional<Timer> timer_;  // none once the server has ended
  std::chrono::milliseconds sweep_interval_;
  bool armed_ = false;
  bool stopping_ = false;
  std::size_t refusing_ = 0;  // connections beyond the limit that get their 503
  std::function<void()> on_empty_;
  List list_;

  friend class Connection;
};

}  // namespace weir::http
