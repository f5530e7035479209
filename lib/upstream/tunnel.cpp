#include "upstream/tunnel.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

namespace weir::upstream {
namespace {

constexpr std::size_t kReadBytes = 4 * 1024;
constexpr int kMaxInterim = 16;

}  // namespace

Tunnel::Tunnel(const Origin& origin, const Via& via)
    : proxy_(via.authority()), origin_(origin.authority()), has_credentials_(!via.authorization.empty()) {
  const std::string target = host_and_port(origin.host, origin.port);  // its port always: CONNECT's form
  request_ = fmt::format("CONNECT {} HTTP/1.1\r\nHost: {}\r\n", target, target);
  if (has_credentials_) request_ += fmt::format("Proxy-Authorization: {}\r\n", via.authorization);
  request_ += "\r\n";
  parser_.start(true);
}

Io Tunnel::fail(std::string text) {
  failure_ = {Fault::via, std::move(text)};
  return Io::failed;
}

Io Tunnel::advance(Transport& transport) {
  while (sent_ < request_.size()) {
    const auto [io, count] = transport.write(std::string_view(request_).substr(sent_));
    if (io == Io::want_read || io == Io::want_write) return io;
    if (io != Io::done)
      return fail(fmt::format("the HTTP proxy {} broke off: {}", proxy_, transport.error()));
    sent_ += count;
  }
  return read(transport);
}

Io Tunnel::read(Transport& transport) {
  while (true) {
    const auto [io, count] = transport.read(input_.prepare(kReadBytes));
    if (io == Io::want_read || io == Io::want_write) return io;
    if (io == Io::end)
      return fail(fmt::format("the HTTP proxy {} closed the connection without an answer", proxy_));
    if (io != Io::done)
      return fail(fmt::format("the HTTP proxy {} broke off: {}", proxy_, transport.error()));
    input_.commit(count);
    auto step = parser_.parse(input_);
    while (step == ResponseParser::Step::head_done) {
      const int status = parser_.head(input_).status;
      if (status >= 200 || status == 101 || ++interim_ > kMaxInterim) return judge(status);
      parser_.finish(input_);
      parser_.start(true);
      step = input_.size() > 0 ? parser_.parse(input_) : ResponseParser::Step::need_more;
    }
    if (step == ResponseParser::Step::failed)
      return fail(
          fmt::format("the answer of the HTTP proxy {} is no proper HTTP: {}", proxy_, parser_.problem()));
  }
}

Io Tunnel::judge(int status) {
  if (status >= 200 && status < 300) {
    parser_.finish(input_);
    // Whatever stands before the origin's first byte did not come from the origin.
    if (input_.size() > 0)
      return fail(fmt::format("the HTTP proxy {} says more than that the tunnel is open", proxy_));
    return Io::done;
  }
  switch (status) {
    case 407:
      return fail(has_credentials_
                      ? fmt::format("the HTTP proxy {} does not take the credentials for it (407)", proxy_)
                      : fmt::format("the HTTP proxy {} wants credentials (407): name a file with "
                                    "user:password in via_auth_file, "
                                    "or give them in HTTPS_PROXY if that names the proxy",
                                    proxy_));
    case 403:
      return fail(fmt::format("the HTTP proxy {} does not allow connections to {} (403)", proxy_, origin_));
    case 502:
    case 503:
    case 504:
      return fail(fmt::format("the HTTP proxy {} cannot reach {} ({})", proxy_, origin_, status));
    default:
      return fail(fmt::format("the HTTP proxy {} answers {} to the request for a tunnel to {}", proxy_,
                              status, origin_));
  }
}

}  // namespace weir::upstream
