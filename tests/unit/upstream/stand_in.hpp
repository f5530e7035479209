// An upstream that does what a test says, byte by byte: a listening socket, plain or TLS, and a thread that
// serves one connection after the other. Blocking; what a connection does is a function of the test.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <openssl/ssl.h>

namespace weir::upstream::test {

class Peer {  // the stand-in's side of one connection
 public:
  Peer(int fd, SSL* ssl) : fd_(fd), ssl_(ssl) {}

  // Reads to the end of a head, and a body of its Content-Length; "" at the end of the stream.
  std::string request();
  std::string read_until(std::string_view end);
  std::string read(std::size_t count);  // what comes until then, or the end
  bool write(std::string_view bytes);
  void answer(std::string_view body, std::string_view headers = "");  // 200 with Content-Length
  void reset();                                                       // instead of a proper end

 private:
  bool fill();
  int fd_;
  SSL* ssl_;
  std::string buffered_;
};

// A port on 127.0.0.1 that is taken, and where nobody listens.
class Closed {
 public:
  Closed();
  ~Closed();
  Closed(const Closed&) = delete;
  Closed& operator=(const Closed&) = delete;
  const std::string& port() const { return port_; }

 private:
  int fd_ = -1;
  std::string port_;
};

class StandIn {
 public:
  using Script = std::function<void(Peer&, int connection)>;  // connections count from 0

  explicit StandIn(Script script, const std::string& cert = "", const std::string& key = "");
  ~StandIn();
  StandIn(const StandIn&) = delete;
  StandIn& operator=(const StandIn&) = delete;

  [[nodiscard]] const std::string& port() const { return port_; }
  [[nodiscard]] int connections() const { return connections_; }  // so far
  [[nodiscard]] std::size_t open();                               // now: the others are closed

 private:
  void serve();
  void serve_one(int fd, int number);

  Script script_;
  SSL_CTX* context_ = nullptr;
  int listener_ = -1;
  std::string port_;
  std::atomic<int> connections_ = 0;
  std::atomic<bool> stopping_ = false;
  std::mutex mutex_;
  std::vector<int> open_;
  std::vector<std::thread> workers_;
  std::thread thread_;
};

}  // namespace weir::upstream::test
