// An address to listen on, as a configuration writes it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::daemon {

struct ListenAddress {
  std::string problem;  // what is wrong with the text, as the end of a sentence; "" if it is right
  bool unix_socket = false;
  bool loopback = false;
  std::string host;  // "127.0.0.1", "::1"; the path of a Unix socket
  std::uint16_t port = 0;

  // Nobody but users of this machine can reach it.
  [[nodiscard]] bool local() const { return unix_socket || loopback; }
};

// "127.0.0.1:8411", "[::1]:8411", "unix:/run/weir/weir.sock". Addresses are numeric: a name may resolve to
// something else tomorrow, and to more than loopback.
ListenAddress parse_listen(std::string_view text);

}  // namespace weir::daemon
