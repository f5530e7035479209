#include "http/listener.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include <netdb.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/v6_only.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

namespace weir::http {
namespace {

using boost::asio::generic::stream_protocol;

constexpr std::chrono::milliseconds kPause{
    250};  // after a failed accept: descriptors do not come back at once
constexpr mode_t kFileMode = 0660;

std::error_code last_error() {
  return {errno, std::generic_category()};
}

[[noreturn]] void bad_address(std::string_view text, std::string_view why) {
  throw std::system_error(
      std::make_error_code(std::errc::invalid_argument),
      fmt::format("listen address \"{}\": {}; expected HOST:PORT, [IPV6]:PORT or unix:/PATH", text, why));
}

struct FreeAddrinfo {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

}  // namespace

Address parse_address(std::string_view text) {
  Address address;
  if (text.starts_with("unix:")) {
    address.unix_socket = true;
    address.host = text.substr(5);
    if (address.host.empty() || address.host.front() != '/') bad_address(text, "the path must be absolute");
    if (address.host.size() >= sizeof(sockaddr_un::sun_path))
      bad_address(text, "the path is too long (107 bytes at most)");
    return address;
  }
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) bad_address(text, "it has no port");
  auto host = text.substr(0, colon);
  const auto port = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    bad_address(text, "an IPv6 address needs brackets");
  }
  if (host.empty()) bad_address(text, "it has no host (0.0.0.0 means every IPv4 address)");
  unsigned number = 0;
  for (const char c : port) {
    if (c < '0' || c > '9' || port.size() > 5) bad_address(text, "the port is not a number");
    number = number * 10 + static_cast<unsigned>(c - '0');
  }
  if (port.empty() || number > 65535) bad_address(text, "the port must be from 0 to 65535");
  address.host = host;
  address.port = port;
  return address;
}

std::string internet_address(const sockaddr* address, socklen_t size) {
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if ((address->sa_family != AF_INET && address->sa_family != AF_INET6) ||
      ::getnameinfo(address, size, host.data(), host.size(), port.data(), port.size(),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return {};
  }
  const bool v6 = address->sa_family == AF_INET6;
  return fmt::format("{}{}{}:{}", v6 ? "[" : "", host.data(), v6 ? "]" : "", port.data());
}

Listener::Listener(std::shared_ptr<Connections> connections, boost::asio::io_context& loop, std::string text,
                   std::optional<int> given)
    : connections_(std::move(connections)),
      text_(std::move(text)),
      address_(parse_address(text_)),
      given_(given),
      acceptor_(loop),
      pause_(loop) {}

Listener::~Listener() {
  close();
}

void Listener::fail(const std::error_code& ec, const std::string& advice) const {
  throw std::system_error(ec,
                          fmt::format("cannot listen on {}{}{}", text_, advice.empty() ? "" : ": ", advice));
}

void Listener::open() {
  if (given_) return take_given();
  if (address_.unix_socket) {
    bind_unix();
  } else {
    bind_tcp();
  }
  boost::system::error_code ec;
  acceptor_.listen(boost::asio::socket_base::max_listen_connections, ec);
  if (ec) fail(ec, "");
  acceptor_.non_blocking(true, ec);
}

void Listener::take_given() {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  if (::getsockname(*given_, reinterpret_cast<sockaddr*>(&name), &size) != 0) fail(last_error(), "");
  boost::system::error_code ec;
  const int protocol = name.ss_family == AF_UNIX ? 0 : IPPROTO_TCP;
  acceptor_.assign(stream_protocol(name.ss_family, protocol), *given_, ec);
  if (!ec) acceptor_.non_blocking(true, ec);
  if (ec) fail(ec, "");
}

void Listener::bind_tcp() {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int result = ::getaddrinfo(address_.host.c_str(), address_.port.c_str(), &hints, &found);
      result != 0) {
    fail(std::make_error_code(std::errc::address_not_available),
         fmt::format("the host is not known ({})", ::gai_strerror(result)));
  }
  const std::unique_ptr<addrinfo, FreeAddrinfo> list(found);
  // A name with both: IPv4, which every client of "localhost" tries.
  const addrinfo* chosen = found;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    if (at->ai_family == AF_INET) {
      chosen = at;
      break;
    }
  }
  const stream_protocol::endpoint endpoint(chosen->ai_addr, chosen->ai_addrlen);
  boost::system::error_code ec;
  acceptor_.open(stream_protocol(chosen->ai_family, IPPROTO_TCP), ec);
  if (ec) fail(ec, "");
  acceptor_.set_option(boost::asio::socket_base::reuse_address(true), ec);
  if (chosen->ai_family == AF_INET6) acceptor_.set_option(boost::asio::ip::v6_only(true), ec);
  acceptor_.bind(endpoint, ec);
  if (ec == boost::asio::error::address_in_use) {
    fail(ec, "another program listens there; stop it, or choose another address with \"listen\" in [server]");
  }
  if (ec == boost::asio::error::access_denied)
    fail(ec, "ports below 1024 need a privilege; choose a higher one");
  if (ec) fail(ec, "");
}

void Listener::remove_stale_file() {
  struct stat info {};
  if (::lstat(address_.host.c_str(), &info) != 0) return;
  if (!S_ISSOCK(info.st_mode)) {
    fail(std::make_error_code(std::errc::file_exists),
         "there is a file of that name that is not a socket; move it away");
  }
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (probe < 0) fail(last_error(), "");
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  address_.host.copy(name.sun_path, sizeof name.sun_path - 1);
  const int result = ::connect(probe, reinterpret_cast<const sockaddr*>(&name), sizeof name);
  const int error = result == 0 ? 0 : errno;
  ::close(probe);
  if (error == 0 || error == EAGAIN) {  // EAGAIN: its backlog is full
    fail(std::make_error_code(std::errc::address_in_use),
         "another program listens there; stop it, or choose another path with \"listen\" in [server]");
  }
  if (error != ECONNREFUSED && error != ENOENT) fail({error, std::generic_category()}, "");
  if (::unlink(address_.host.c_str()) != 0 && errno != ENOENT)
    fail(last_error(), "cannot remove the stale socket");
}

void Listener::bind_unix() {
  remove_stale_file();
  boost::system::error_code ec;
  acceptor_.open(stream_protocol(AF_UNIX, 0), ec);
  if (ec) fail(ec, "");
  // Linux gives the file the mode of the descriptor, less the umask: so it is never open to others, not for a
  // moment.
  ::fchmod(acceptor_.native_handle(), kFileMode);
  acceptor_.bind(boost::asio::local::stream_protocol::endpoint(address_.host), ec);
  if (ec == boost::system::errc::no_such_file_or_directory)
    fail(ec, "its directory does not exist; create it");
  if (ec == boost::asio::error::access_denied) fail(ec, "no permission to write to its directory");
  if (ec) fail(ec, "");
  struct stat info {};
  if (::chmod(address_.host.c_str(), kFileMode) != 0 || ::lstat(address_.host.c_str(), &info) != 0)
    fail(last_error(), "");
  owns_file_ = true;
  device_ = info.st_dev;
  inode_ = info.st_ino;
}

void Listener::remove_file() {
  if (!std::exchange(owns_file_, false)) return;
  struct stat info {};
  if (::lstat(address_.host.c_str(), &info) == 0 && info.st_dev == device_ && info.st_ino == inode_) {
    ::unlink(address_.host.c_str());
  }
}

std::string Listener::bound() const {
  if (address_.unix_socket) return text_;
  boost::system::error_code ec;
  const auto endpoint = acceptor_.local_endpoint(ec);
  const std::string text =
      ec ? std::string() : internet_address(endpoint.data(), static_cast<socklen_t>(endpoint.size()));
  return text.empty() ? text_ : text;
}

std::string Listener::specific_host() const {
  if (address_.unix_socket || address_.host == "0.0.0.0" || address_.host == "::") return {};
  return address_.host.find(':') == std::string::npos ? address_.host : "[" + address_.host + "]";
}

void Listener::start() {
  accept();
}

void Listener::accept() {
  acceptor_.async_accept([self = shared_from_this()](const boost::system::error_code& ec, Socket socket) {
    self->on_accept(ec, std::move(socket));
  });
}

void Listener::on_accept(const boost::system::error_code& ec, Socket socket) {
  // Also if the listener was closed between the kernel's accept and this turn: it is not dropped.
  if (!ec) connections_->add(std::move(socket), address_.unix_socket);
  if (!acceptor_.is_open()) return;
  if (!ec) return accept();
  if (ec == boost::asio::error::operation_aborted) return;
  ++connections_->stats.accept_errors;
  if (ec == boost::asio::error::connection_aborted) return accept();
  if (ec == boost::asio::error::no_descriptors && connections_->make_room()) return accept();
  spdlog::warn("cannot accept on {}: {}; trying again in {} ms", text_, ec.message(), kPause.count());
  pause_.expires_after(kPause);
  pause_.async_wait([self = shared_from_this()](const boost::system::error_code& stopped) {
    if (!stopped && self->acceptor_.is_open()) self->accept();
  });
}

void Listener::stop() {
  if (!acceptor_.is_open()) return;
  remove_file();  // first: nobody new comes to the backlog that is emptied here
  boost::system::error_code ec;
  while (!given_) {
    Socket socket(acceptor_.get_executor());
    acceptor_.accept(socket, ec);
    if (ec == boost::asio::error::connection_aborted) continue;
    if (ec) break;
    connections_->add(std::move(socket), address_.unix_socket);
  }
  close();
}

void Listener::close() {
  remove_file();
  boost::system::error_code ignored;
  pause_.cancel();
  acceptor_.close(ignored);
}

}  // namespace weir::http
