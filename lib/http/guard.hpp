// Under which names the daemon may be spoken to over TCP. A page in a browser can be made to send requests to
// a loopback address under a name of its author's choosing (DNS rebinding); so Host and Origin must be ours.
// A value: loop thread, after construction constant but for allow().
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/problem.hpp"

namespace weir::http {

// The host of "host:port", "[::1]:port" or "host", without port and final dot; empty if it is none of these.
std::string_view host_of(std::string_view authority);

// localhost, *.localhost, 127.0.0.0/8, [::1].
bool is_loopback_host(std::string_view host);

class Guard {
 public:
  // `allowed_hosts`: names or addresses, a port in them is ignored.
  explicit Guard(const std::vector<std::string>& allowed_hosts);

  // A specific address that the server is bound to: a name by which it may be called.
  void allow(std::string_view host);

  struct Visit {
    std::optional<std::string_view> host;              // Host header; none: HTTP/1.0, which no browser sends
    std::optional<std::string_view> target_authority;  // of an absolute request target
    std::optional<std::string_view> origin;
  };
  // nullopt: it may pass. Else 403 (host, then origin).
  [[nodiscard]] std::optional<Problem> check(const Visit& visit) const;

 private:
  [[nodiscard]] bool known_host(std::string_view authority) const;
  [[nodiscard]] bool known_origin(std::string_view origin, std::string_view own_host) const;

  std::vector<std::string> allowed_;  // hosts without port
};

}  // namespace weir::http
