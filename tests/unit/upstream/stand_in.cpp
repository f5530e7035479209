#include "stand_in.hpp"

#include <algorithm>
#include <stdexcept>
#include <tuple>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace weir::upstream::test {

bool Peer::fill() {
  char bytes[16384];
  const auto got =
      ssl_ != nullptr ? SSL_read(ssl_, bytes, sizeof bytes) : ::recv(fd_, bytes, sizeof bytes, 0);
  if (got <= 0) return false;
  buffered_.append(bytes, static_cast<std::size_t>(got));
  return true;
}

std::string Peer::read_until(std::string_view end) {
  std::size_t at = 0;
  while ((at = buffered_.find(end)) == std::string::npos) {
    if (!fill()) return {};
  }
  const std::string bytes = buffered_.substr(0, at + end.size());
  buffered_.erase(0, bytes.size());
  return bytes;
}

std::string Peer::read(std::size_t count) {
  while (buffered_.size() < count && fill()) {
  }
  const std::string bytes = buffered_.substr(0, count);
  buffered_.erase(0, bytes.size());
  return bytes;
}

std::string Peer::request() {
  std::string text = read_until("\r\n\r\n");
  const auto length = text.find("Content-Length: ");
  if (length != std::string::npos) text += read(std::stoul(text.substr(length + 16)));
  return text;
}

bool Peer::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ssl_ != nullptr ? SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size()))
                                      : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void Peer::answer(std::string_view body, std::string_view headers) {
  write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + std::string(headers) +
        "\r\n" + std::string(body));
}

void Peer::reset() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

namespace {

// On 127.0.0.1, at a port that the system chooses; and that port.
std::pair<int, std::string> bound() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof name;
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&name), size) != 0)
    throw std::runtime_error("cannot bind");
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&name), &size);
  return {fd, std::to_string(ntohs(name.sin_port))};
}

}  // namespace

Closed::Closed() {
  std::tie(fd_, port_) = bound();
}

Closed::~Closed() {
  ::close(fd_);
}

StandIn::StandIn(Script script, const std::string& cert, const std::string& key)
    : script_(std::move(script)) {
  if (!cert.empty()) {
    context_ = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(context_, cert.c_str()) != 1 ||
        SSL_CTX_use_PrivateKey_file(context_, key.c_str(), SSL_FILETYPE_PEM) != 1) {
      throw std::runtime_error("cannot use " + cert);
    }
  }
  std::tie(listener_, port_) = bound();
  if (::listen(listener_, 64) != 0) throw std::runtime_error("cannot listen");
  thread_ = std::thread([this] { serve(); });
}

StandIn::~StandIn() {
  stopping_ = true;
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  {
    const std::lock_guard lock(mutex_);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  for (auto& worker : workers_) worker.join();
  ::close(listener_);
  SSL_CTX_free(context_);
}

std::size_t StandIn::open() {
  const std::lock_guard lock(mutex_);
  return open_.size();
}

void StandIn::serve() {
  while (!stopping_) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    {
      const std::lock_guard lock(mutex_);
      open_.push_back(fd);
    }
    workers_.emplace_back([this, fd, number = connections_++] { serve_one(fd, number); });
  }
}

void StandIn::serve_one(int fd, int number) {
  SSL* ssl = nullptr;
  bool ready = true;
  if (context_ != nullptr) {
    ssl = SSL_new(context_);
    SSL_set_fd(ssl, fd);
    ready = SSL_accept(ssl) == 1;
  }
  if (ready) {
    Peer peer(fd, ssl);
    script_(peer, number);
    if (ssl != nullptr) SSL_shutdown(ssl);
  }
  SSL_free(ssl);
  const std::lock_guard lock(mutex_);
  std::erase(open_, fd);
  ::close(fd);
}

}  // namespace weir::upstream::test
