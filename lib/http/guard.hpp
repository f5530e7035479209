// Who may speak to the daemon over TCP. A page in a browser can be made to send requests to a loopback
// address under a name of its author's choosing (DNS rebinding); so Host and Origin must be ours. A value:
// loop thread, after construction constant but for allow().
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

// True if the first token of an Authorization header is `token` as bearer. Takes the same time wherever they
// differ.
bool bearer_matches(std::string_view authorization, std::string_view token);

class Guard {
 public:
  // `allowed_hosts`: names or addresses, a port in them is ignored.
  // `public_paths`: no token is asked for them.
  Guard(const std::vector<std::string>& allowed_hosts, std::string bearer_token,
        std::vector<std::string> public_paths = {});

  // A specific address that the server is bound to: a name by which it may be called.
  void allow(std::string_view host);

  struct Visit {
    std::string_view path;
    std::optional<std::string_view> host;              // Host header; none: HTTP/1.0, which no browser sends
    std::optional<std::string_view> target_authority;  // of an absolute request target
    std::optional<std::string_view> origin;
    std::optional<std::string_view> authorization;
    bool own_credentials = false;  // the route looks at them itself: no 401 from here
  };
  // nullopt: it may pass. Else 403 (host, then origin) or 401.
  [[nodiscard]] std::optional<Problem> check(const Visit& visit) const;

 private:
  [[nodiscard]] bool known_host(std::string_view authority) const;
  [[nodiscard]] bool known_origin(std::string_view origin, std::string_view own_host) const;

  std::vector<std::string> allowed_;  // hosts without port
  std::string token_;
  std::vector<std::string> public_paths_;
};

}  // namespace weir::http
