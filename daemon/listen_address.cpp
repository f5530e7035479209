#include "daemon/listen_address.hpp"

#include <charconv>

#include <arpa/inet.h>
#include <sys/un.h>

#include <fmt/format.h>

namespace weir::daemon {
namespace {

ListenAddress wrong(std::string problem) {
  ListenAddress address;
  address.problem = std::move(problem);
  return address;
}

ListenAddress parse_unix(std::string_view path) {
  if (!path.starts_with('/')) return wrong("needs an absolute path after \"unix:\"");
  if (path.size() >= sizeof(sockaddr_un::sun_path)) {
    return wrong(fmt::format("has a path of more than {} bytes", sizeof(sockaddr_un::sun_path) - 1));
  }
  ListenAddress address;
  address.unix_socket = true;
  address.host = path;
  return address;
}

}  // namespace

ListenAddress parse_listen(std::string_view text) {
  if (text.starts_with("unix:")) return parse_unix(text.substr(5));
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || (text.starts_with('[') && (colon == 0 || text[colon - 1] != ']'))) {
    return wrong("needs a port, as in \"127.0.0.1:8411\"");
  }
  const std::string_view port = text.substr(colon + 1);
  ListenAddress address;
  const auto parsed = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (port.empty() || parsed.ec != std::errc() || parsed.ptr != port.data() + port.size()) {
    return wrong("has no port from 0 to 65535 at its end");
  }
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  address.host = host;
  in_addr v4{};
  in6_addr v6{};
  if (!bracketed && inet_pton(AF_INET, address.host.c_str(), &v4) == 1) {
    address.loopback = (ntohl(v4.s_addr) >> 24U) == 127;
  } else if (inet_pton(AF_INET6, address.host.c_str(), &v6) == 1) {
    if (!bracketed)
      return wrong(fmt::format("needs brackets around an IPv6 address: \"[{}]:{}\"", host, port));
    address.loopback = IN6_IS_ADDR_LOOPBACK(&v6);
  } else if (host == "localhost") {
    return wrong(fmt::format("needs a numeric address: \"127.0.0.1:{}\"", port));
  } else if (host.empty() || host == "*") {
    return wrong(fmt::format("needs a numeric address: \"0.0.0.0:{}\" for all of IPv4", port));
  } else {
    return wrong(
        "needs a numeric address, as in \"127.0.0.1:8411\", \"[::1]:8411\" or \"unix:/run/weir/weir.sock\"");
  }
  return address;
}

}  // namespace weir::daemon
