// One address that the server listens on. Owned by the server; loop thread. What cannot be bound throws
// std::system_error; a failing accept is counted, logged and tried again after a pause.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <sys/socket.h>
#include <sys/types.h>

#include <boost/asio/basic_socket_acceptor.hpp>

#include "http/connections.hpp"

namespace weir::http {

// "127.0.0.1:8411", "[::1]:8411", "localhost:8411", "unix:/path". Throws std::system_error (EINVAL) for
// anything else.
struct Address {
  bool unix_socket = false;
  std::string host;  // without brackets; the path of a Unix socket
  std::string port;
};
Address parse_address(std::string_view text);

// "127.0.0.1:8411", "[::1]:8411"; empty if it is no internet address.
std::string internet_address(const sockaddr* address, socklen_t size);

class Listener : public std::enable_shared_from_this<Listener> {
 public:
  // `given`: a socket that listens at that address already.
  Listener(std::shared_ptr<Connections> connections, boost::asio::io_context& loop, std::string text,
           std::optional<int> given = std::nullopt);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  void open();
  void start();
  // Takes what waits in the backlog (unless the socket was given), then closes; removes a Unix socket's file.
  void stop();
  void close();

  [[nodiscard]] std::string bound() const;  // port resolved
  // The host by which TCP clients may call it: what the configuration says, unless that is a wildcard
  // address.
  [[nodiscard]] std::string specific_host() const;

 private:
  using Acceptor = boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol, Executor>;

  void take_given();
  void bind_tcp();
  void bind_unix();
  void remove_stale_file();
  void remove_file();
  void accept();
  void on_accept(const boost::system::error_code& ec, Socket socket);
  [[noreturn]] void fail(const std::error_code& ec, const std::string& advice) const;

  const std::shared_ptr<Connections> connections_;
  const std::string text_;
  const Address address_;
  const std::optional<int> given_;
  Acceptor acceptor_;
  Timer pause_;
  bool owns_file_ = false;  // of a Unix socket: the file is removed only if it is still ours
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

}  // namespace weir::http
