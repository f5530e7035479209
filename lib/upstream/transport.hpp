// A connected socket, plain or under TLS, read and written without blocking. OpenSSL works on the socket
// itself: Asio's stream would copy every byte once more and keep 34 KB a connection. Owned by one connection;
// loop thread. The process ignores SIGPIPE.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "upstream/tls.hpp"

namespace weir::upstream {

using Executor = boost::asio::io_context::executor_type;
using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, Executor>;

enum class Io : std::uint8_t {
  done,        // `count` bytes were moved
  want_read,   // try again when the socket is readable
  want_write,  // try again when it is writable
  end,         // the peer has ended the stream in due form
  failed,      // see error()
};
struct IoResult {
  Io io = Io::failed;
  std::size_t count = 0;
};

class Transport {
 public:
  explicit Transport(Socket socket);

  // From here on under TLS: call handshake() until it is done.
  void start_tls(const TlsContext& context, const std::string& host);
  Io handshake();
  // The handshake failed since the server's certificate did not convince.
  [[nodiscard]] bool certificate_refused() const { return certificate_refused_; }

  IoResult read(std::span<char> room);
  IoResult write(std::string_view bytes);
  // Whether a read that filled less than its room has emptied the socket.
  [[nodiscard]] bool short_read_empties() const { return ssl_ == nullptr; }
  // Of an idle connection: whether it is still open and silent.
  [[nodiscard]] bool quiet();

  [[nodiscard]] const std::string& error() const { return error_; }
  Socket& socket() { return socket_; }

 private:
  IoResult tls_result(int result);
  IoResult socket_result(ssize_t result);

  Socket socket_;
  TlsContext::Session ssl_;
  bool certificate_refused_ = false;
  std::string error_;
};

}  // namespace weir::upstream
