// An HTTP/1.1 client for upstreams: HTTPS and plain HTTP, connections kept for reuse, every wait with a
// deadline and every buffer with a bound.
//
// Owned by the daemon; loop thread; must outlive its calls' receivers, not the calls. Connections without a
// call are kept per origin and way there, the last used first; one that the server ends, or speaks on, is
// dropped at once.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>

#include "http/coarse_time.hpp"

#include "upstream/call.hpp"
#include "upstream/resolver.hpp"
#include "upstream/transport.hpp"
#include "upstream/via.hpp"

namespace weir::upstream {

struct ClientOptions {
  // Looked at once a second (more often if one is shorter than 4 s), so they end a little late.
  std::chrono::milliseconds connect_timeout{10'000};      // name, TCP, tunnel and TLS together
  std::chrono::milliseconds first_byte_timeout{600'000};  // from the end of the request to the answer's head
  std::chrono::milliseconds idle_timeout{300'000};        // without progress in the request or in the answer
  std::chrono::milliseconds keep_alive{55'000};           // of a connection that has no call
  std::size_t max_idle = 64;                              // of those, per origin and way there
};

struct ClientStats {
  std::size_t connections = 0;  // open now, idle ones included
  std::size_t idle = 0;
  std::uint64_t dialled = 0;
  std::uint64_t reused = 0;
  std::uint64_t retried = 0;  // requests sent again, since the first connection turned out stale
};

class Client {
 public:
  Client(boost::asio::io_context& loop, const ClientOptions& options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Nothing happens before its start(). `receiver` must live until on_end(), on_failure() or cancel().
  std::shared_ptr<Call> call(Request request, Receiver& receiver);
  // For connections from now on, and for waits that begin from now on.
  void set_options(const ClientOptions& options) { options_ = options; }
  [[nodiscard]] const ClientStats& stats() const { return stats_; }

 private:
  friend class Call;
  friend class Connection;
  using Connections = std::list<std::shared_ptr<Connection>>;
  // What a kept connection may be used again for.
  struct Key {
    Origin origin;
    const TlsContext* tls = nullptr;
    std::optional<Via> via;
    auto operator<=>(const Key&) const = default;
  };
  using Timer =
      boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                        boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

  std::shared_ptr<Connection> take_idle(const Key& key);
  void keep_idle(const std::shared_ptr<Connection>& connection);
  void drop_idle(const std::shared_ptr<Connection>& connection);
  void add(const std::shared_ptr<Connection>& connection);
  void remove(Connections::iterator position);
  void arm_sweep();
  void sweep();

  boost::asio::io_context& loop_;
  Resolver resolver_;
  ClientOptions options_;
  ClientStats stats_;
  Connections connections_;  // all
  std::map<Key, std::vector<std::shared_ptr<Connection>>> idle_;
  std::vector<std::weak_ptr<Call>> dialling_;
  std::shared_ptr<Timer>
      timer_;  // its wait, which may come after the client's end, looks whether it is there
  bool armed_ = false;
};

}  // namespace weir::upstream
