#include "fixture.hpp"

#include <algorithm>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/post.hpp>

#include "http/text.hpp"

namespace weir::http::test {

Client::Client(const std::string& address, int receive_buffer) {
  if (address.starts_with("unix:")) {
    fd_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    address.copy(name.sun_path, sizeof name.sun_path - 1, 5);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) close();
    return;
  }
  const auto colon = address.rfind(':');
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (receive_buffer > 0) ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  const int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
  ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &name.sin_addr);
  if (::connect(fd_, reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) close();
}

Client::~Client() {
  close();
}

void Client::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Client::half_close() {
  ::shutdown(fd_, SHUT_WR);
}

void Client::reset() {
  const linger now{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

bool Client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool Client::fill() {
  pollfd ready{.fd = fd_, .events = POLLIN, .revents = 0};
  if (::poll(&ready, 1, static_cast<int>(kPatience.count())) != 1) return false;
  char bytes[65536];
  const auto got = ::recv(fd_, bytes, sizeof bytes, 0);
  if (got <= 0) {
    ended_ = true;
    return false;
  }
  buffered_.append(bytes, static_cast<std::size_t>(got));
  return true;
}

std::string Client::read(std::size_t count) {
  while (buffered_.size() < count && fill()) {
  }
  const auto bytes = buffered_.substr(0, count);
  buffered_.erase(0, bytes.size());
  return bytes;
}

bool Client::wait_for(std::string_view text) {
  while (buffered_.find(text) == std::string::npos) {
    if (!fill()) return false;
  }
  return true;
}

bool Client::at_end() {
  return buffered_.empty() && !fill() && ended_;
}

std::string Client::Answer::header(std::string_view name) const {
  std::size_t at = 0;
  while ((at = head.find("\r\n", at)) != std::string::npos) {
    at += 2;
    const auto end = head.find("\r\n", at);
    const auto line = std::string_view(head).substr(at, end - at);
    if (starts_with_ignoring_case(line, name) && line.size() > name.size() && line[name.size()] == ':') {
      return std::string(line.substr(std::min(name.size() + 2, line.size())));
    }
  }
  return {};
}

Client::Answer Client::answer(bool to_head) {
  Answer answer;
  std::size_t end = 0;
  while ((end = buffered_.find("\r\n\r\n")) == std::string::npos) {
    if (!fill()) return answer;
  }
  answer.head = read(end + 4);
  answer.status = std::stoi(answer.head.substr(9, 3));
  if (to_head || answer.status == 204 || answer.status == 304 || answer.status == 100) return answer;
  if (answer.header("Transfer-Encoding") == "chunked") {
    while (true) {
      while ((end = buffered_.find("\r\n")) == std::string::npos) {
        if (!fill()) return answer;
      }
      const auto size = std::stoul(read(end + 2), nullptr, 16);
      auto chunk = read(size + 2);
      if (size == 0 || chunk.size() < size) return answer;
      answer.body.append(chunk, 0, size);
    }
  }
  const auto length = answer.header("Content-Length");
  answer.body = length.empty() ? read_all() : read(std::stoul(length));
  return answer;
}

Fixture::Fixture(Server::Handler handler, ServerOptions options, Server::Streamed streamed)
    : server(std::make_unique<Server>(loop, std::move(options), std::move(handler), std::move(streamed))) {
  server->listen();
  address = server->addresses().front();
  thread_ = std::thread([this] { loop.run(); });
}

Fixture::~Fixture() {
  on_loop([this] {
    server.reset();
    work_.reset();
  });
  thread_.join();  // and so: nothing of the server is left in the loop
}

void Fixture::post(std::packaged_task<void()> task) {
  boost::asio::post(
      loop, [shared = std::make_shared<std::packaged_task<void()>>(std::move(task))] { (*shared)(); });
}

bool Fixture::eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + kPatience;
  while (std::chrono::steady_clock::now() < end) {
    if (on_loop(condition)) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

Client::Answer Fixture::ask(std::string_view request) {
  Client client(address);
  client.send(request);
  return client.answer();
}

void echo(Exchange& exchange) {
  const auto& request = exchange.request();
  static constexpr const char* kMethods[] = {"GET", "HEAD", "POST", "DELETE", "OPTIONS", "other"};
  auto& body = exchange.scratch();
  body.clear();
  body += kMethods[static_cast<int>(request.method)];
  body += '\n';
  body += request.path;
  body += '\n';
  body += request.query;
  body += '\n';
  body += request.body;
  exchange.reply({.content_type = "text/plain", .body = body});
}

}  // namespace weir::http::test
