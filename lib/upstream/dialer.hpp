// Gets a connection to an origin: resolves its name, tries the addresses one after the other with a head
// start for each (RFC 8305, light: families alternate, the next is tried after 250 ms or at the first's
// failure), then the TLS handshake. By way of an HTTP proxy, that one is resolved and connected to, and asked
// for a tunnel before the handshake; the origin's name is looked up there, not here. Kept alive by the
// operations under way; loop thread. No deadline of its own: whoever dials cancels.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <boost/asio/basic_waitable_timer.hpp>

#include "upstream/failure.hpp"
#include "upstream/origin.hpp"
#include "upstream/resolver.hpp"
#include "upstream/transport.hpp"
#include "upstream/tunnel.hpp"
#include "upstream/via.hpp"

namespace weir::upstream {

class Dialer : public std::enable_shared_from_this<Dialer> {
 public:
  // Called once, from a later turn of the loop: a transport, or why there is none.
  using Done = std::function<void(std::optional<Transport>, Failure)>;

  using Endpoint = boost::asio::ip::tcp::endpoint;

  // `resolver`: must live until `done` was called, or cancel(). `tls`: null for a plain origin; must outlive
  // this.
  Dialer(boost::asio::io_context& loop, Resolver& resolver, Origin origin, const TlsContext* tls,
         std::optional<Via> via, Done done);
  void start();
  // The same with what the name stands for, as if it had been looked up.
  void start(std::vector<Endpoint> addresses);
  void cancel();  // `done` is not called any more
  // What it is waiting for, for the message of whoever loses patience.
  [[nodiscard]] std::string stage() const;

 private:
  using Timer =
      boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                        boost::asio::wait_traits<std::chrono::steady_clock>, Executor>;

  [[nodiscard]] const std::string& host() const { return via_ ? via_->host : origin_.host; }
  void looked_up(const Found& found, unsigned short port);
  void resolved(std::vector<Endpoint> found);
  void try_next();
  void connected(std::size_t attempt, const boost::system::error_code& ec);
  void open_tunnel();
  void start_tls();
  void shake_hands();
  void wait(Io io, void (Dialer::*next)());
  [[nodiscard]] std::string peer() const;  // to whom the socket goes, for messages
  void fail(Failure failure);
  void close_attempts();

  boost::asio::io_context& loop_;
  const Origin origin_;
  const TlsContext* const tls_;
  const std::optional<Via> via_;
  Done done_;  // empty: over
  Resolver& resolver_;
  std::optional<Resolver::Ticket> ticket_;  // while the name is looked up
  Timer timer_;
  std::vector<Endpoint> endpoints_;
  std::vector<std::unique_ptr<Socket>> attempts_;  // by endpoint; null: failed
  std::size_t pending_ = 0;
  std::string last_error_;
  std::optional<Transport> transport_;
  std::unique_ptr<Tunnel> tunnel_;  // while it is being opened
};

}  // namespace weir::upstream
