#include "upstream/transport.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/socket.h>

#include <climits>
#include <openssl/err.h>

namespace weir::upstream {

Transport::Transport(Socket socket) : socket_(std::move(socket)) {
  boost::system::error_code ignored;  // a peer that is gone already shows at the first read
  socket_.non_blocking(true, ignored);
  socket_.set_option(boost::asio::ip::tcp::no_delay(true), ignored);
  socket_.set_option(boost::asio::socket_base::keep_alive(true), ignored);
}

void Transport::start_tls(const TlsContext& context, const std::string& host) {
  ssl_ = context.session(socket_.native_handle(), host);
}

Io Transport::handshake() {
  ERR_clear_error();
  const int result = SSL_do_handshake(ssl_.get());
  if (result == 1) return Io::done;
  const long verdict = SSL_get_verify_result(ssl_.get());
  const Io io = tls_result(result).io;
  if (io == Io::failed && verdict != X509_V_OK) {
    certificate_refused_ = true;
    error_ = X509_verify_cert_error_string(verdict);
  } else if (io == Io::end) {
    error_ = "the server ended the connection in the handshake";
    return Io::failed;
  }
  return io;
}

IoResult Transport::read(std::span<char> room) {
  if (ssl_ == nullptr) return socket_result(::recv(socket_.native_handle(), room.data(), room.size(), 0));
  ERR_clear_error();
  return tls_result(
      SSL_read(ssl_.get(), room.data(), static_cast<int>(std::min<std::size_t>(room.size(), INT_MAX))));
}

IoResult Transport::write(std::string_view bytes) {
  if (ssl_ == nullptr) {
    const auto sent = ::send(socket_.native_handle(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    IoResult result = socket_result(sent);
    if (result.io == Io::want_read) result.io = Io::want_write;
    return result;
  }
  ERR_clear_error();
  return tls_result(
      SSL_write(ssl_.get(), bytes.data(), static_cast<int>(std::min<std::size_t>(bytes.size(), INT_MAX))));
}

bool Transport::quiet() {
  char byte = 0;
  return read({&byte, 1}).io == Io::want_read;
}

IoResult Transport::socket_result(ssize_t result) {
  if (result > 0) return {Io::done, static_cast<std::size_t>(result)};
  if (result == 0) return {Io::end};
  if (errno == EAGAIN || errno == EINTR) return {Io::want_read};
  error_ = std::strerror(errno);
  return {Io::failed};
}

IoResult Transport::tls_result(int result) {
  if (result > 0) return {Io::done, static_cast<std::size_t>(result)};
  const int system_error = errno;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return {Io::want_read};
    case SSL_ERROR_WANT_WRITE:
      return {Io::want_write};
    case SSL_ERROR_ZERO_RETURN:
      return {Io::end};
    case SSL_ERROR_SYSCALL:
      error_ = system_error != 0 ? std::strerror(system_error) : "the connection was cut";
      ERR_clear_error();
      return {Io::failed};
    default:
      error_ = tls_error();
      return {Io::failed};
  }
}

}  // namespace weir::upstream
