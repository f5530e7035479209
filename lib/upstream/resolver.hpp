// Looks names up without keeping anybody else waiting. A lookup blocks its thread for as long as the system's
// resolver takes (often 10 to 30 s for a server that does not answer) and cannot be broken off; so each has a
// thread of its own, at most kMostLookups at once, further names in line behind them. Who asks for a name
// that is being looked up shares that lookup.
//
// Owned by the client; loop thread. Its end waits for no lookup: one that hangs is left behind, and what it
// finds is dropped.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/system/error_code.hpp>

namespace weir::upstream {

struct Found {
  boost::system::error_code error;
  std::vector<boost::asio::ip::address> addresses;  // as the system orders them
};

// Blocks. The addresses of `host`, by the system's resolver.
Found look_up(const std::string& host);

class Resolver {
 public:
  static constexpr std::size_t kMostLookups = 16;

  using Lookup = std::function<Found(const std::string& host)>;  // called on threads of the resolver
  using Done = std::function<void(const Found&)>;
  using Ticket = std::uint64_t;

  explicit Resolver(boost::asio::io_context& loop, Lookup lookup = look_up);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // `done` is called once, from a later turn of the loop, unless forget() or the resolver's end comes first.
  Ticket ask(const std::string& host, Done done);
  void forget(const std::string& host, Ticket ticket);

 private:
  // What a lookup's thread shares with the resolver, and may outlive it.
  struct Link;
  using Asking = std::map<Ticket, Done>;

  void begin(const std::string& host);
  void begin_next();
  void ended(const std::string& host, const Found& found);

  boost::asio::io_context& loop_;
  const std::shared_ptr<Link> link_;
  std::map<std::string, Asking> asked_;  // by host: under way, or in line
  std::deque<std::string> line_;         // hosts, each once: no longer than there are upstreams
  std::size_t under_way_ = 0;
  Asking telling_;  // who is told of a lookup that has ended
  Ticket last_ticket_ = 0;
};

}  // namespace weir::upstream
