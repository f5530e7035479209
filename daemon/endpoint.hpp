// Where a daemon is.
#pragma once

#include <string>
#include <string_view>

#include "daemon/environment.hpp"

namespace weir::daemon {

struct Endpoint {
  std::string text;     // as messages name it: "http://127.0.0.1:8411", "unix:/run/weir/weir.sock"
  std::string problem;  // what is wrong with the text, as the end of a sentence; "" if nothing is
  bool unix_socket = false;
  std::string host;    // without brackets; the path of a Unix socket
  std::string port;    // "8411"
  std::string prefix;  // of every target, without a slash at its end: "" or "/weir"

  // For the Host header.
  [[nodiscard]] std::string authority() const;
};

// "http://host[:port][/prefix]" (port 80 if absent), "unix:/path", or "host:port".
Endpoint parse_endpoint(std::string_view text);

// `given` (--url), else $WEIR_URL, else unix:/run/weir/weir.sock if it exists, else http://127.0.0.1:8411.
Endpoint find_daemon(const std::string& given, const Environment& environment);

// For a query: everything but letters, digits and "-._~:,/*" as %XX.
std::string percent_encode(std::string_view text);

}  // namespace weir::daemon
