// The reverse proxy (docs/proxy.md): /proxy/{project-or-pool}/... goes to the project's base URL
// with the project's key; what costs quota is admitted first, metered as it passes, and settled.
//
// Owned by the daemon; loop thread only; must outlive the HTTP server's connections.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/io_context.hpp>
#include <simdjson.h>

#include "admission/service.hpp"
#include "http/exchange.hpp"
#include "ledger/ledger.hpp"
#include "telemetry/metrics.hpp"

#include "proxy/callers.hpp"
#include "proxy/metrics.hpp"
#include "proxy/setup.hpp"
#include "proxy/target.hpp"
#include "upstream/client.hpp"
#include "upstream/origin.hpp"

namespace weir::proxy {

struct Parts {
  boost::asio::io_context& loop;
  admission::Service& service;
  ledger::Ledger& ledger;
  telemetry::Registry& metrics;
  std::function<Now()> now;
};

// A project as the proxy sees it.
struct Upstream {
  std::string name, provider, api_key, ca_file;
  upstream::BaseUrl base;
  std::optional<upstream::Via> via;
  bool lacks_key = false;  // calls are refused
};

class Relay;

class Proxy {
 public:
  // Throws std::runtime_error if a CA file cannot be used.
  Proxy(Parts parts, Setup setup);
  ~Proxy();

  // Another configuration, for calls from now on. Throws like the constructor, and then nothing has changed.
  // A CA file that was read stays as it was read.
  void reload(Setup setup);
  Proxy(const Proxy&) = delete;
  Proxy& operator=(const Proxy&) = delete;

  // A route that is called at the head, for paths that begin with kPrefix.
  void handle(http::Exchange& exchange);
  // The daemon is about to stop: ends WebSocket sessions, which have no end of their own. Other calls go on.
  void begin_stop();
  [[nodiscard]] const upstream::ClientStats& upstream_stats() const { return client_.stats(); }

 private:
  friend class Relay;
  using Timer = boost::asio::basic_waitable_timer<std::chrono::steady_clock,
                                                  boost::asio::wait_traits<std::chrono::steady_clock>,
                                                  boost::asio::io_context::executor_type>;

  using UpstreamPointer = std::shared_ptr<const Upstream>;  // a call keeps the one that it went to

  [[nodiscard]] std::vector<UpstreamPointer> upstreams_of(const Setup& setup);
  [[nodiscard]] UpstreamPointer upstream(std::string_view project) const;
  // Null for a plain origin. The system's authorities are read when they are first needed: that takes 10 ms.
  const upstream::TlsContext* tls(const Upstream& upstream);
  // The projects that a name stands for, in order; empty: there is none of that name.
  [[nodiscard]] std::vector<UpstreamPointer> members(std::string_view project_or_pool) const;
  const admission::PoolSetup* pool(std::string_view name) const;
  // Hands the ledger its batch when what is ready now has been handled: they share one transaction.
  void flush_soon();
  // The same for records that nobody waits for: they go with the next batch, or by themselves in a moment.
  void flush_later();
  // Logs a failure of an upstream: one line a second, with how many were left out.
  void complain(const std::string& project, const std::string& text);
  void forget(std::list<std::shared_ptr<Relay>>::iterator position) { relays_.erase(position); }

  Parts parts_;
  Setup setup_;
  Metrics metrics_;
  upstream::Client client_;
  std::map<std::string, std::unique_ptr<upstream::TlsContext>> tls_;  // by CA file
  std::vector<UpstreamPointer> upstreams_;
  simdjson::dom::parser parser_;  // for bodies of ordinary size
  std::list<std::shared_ptr<Relay>> relays_;
  std::size_t held_bytes_ = 0;  // of metered requests' bodies
  bool flush_posted_ = false;
  Timer flush_timer_;
  bool flush_timed_ = false;
  bool stopping_ = false;
  SteadyTime complained_at_{};
  std::size_t complaints_left_out_ = 0;
};

}  // namespace weir::proxy
