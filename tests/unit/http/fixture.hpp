// A server on port 0 with its loop on a thread of its own, and a blocking client: the tests of the HTTP room
// use real sockets. The client's reads end after kPatience, so that a hanging server fails a test instead of
// stopping it.
#pragma once

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>

#include "http/problem.hpp"
#include "http/server.hpp"

namespace weir::http::test {

constexpr std::chrono::milliseconds kPatience{60'000};
// A timeout that must not pass before a request has come: longer than a busy machine stands still.
constexpr std::chrono::milliseconds kSlow{2500};

class Client {
 public:
  explicit Client(const std::string& address, int receive_buffer = 0);  // "127.0.0.1:1234" or "unix:/path"
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  bool connected() const { return fd_ >= 0; }
  bool send(std::string_view bytes);  // false: the server has closed
  // Whatever comes until `count` bytes were read, the end, or kPatience.
  std::string read(std::size_t count);
  std::string read_all() { return read(static_cast<std::size_t>(-1)); }
  // Reads on until `text` has come, and leaves it there.
  bool wait_for(std::string_view text);
  // One answer: head and body by its Content-Length, or chunks joined. Bytes after it stay for the next call.
  struct Answer {
    int status = 0;
    std::string head, body;
    std::string header(std::string_view name) const;
    bool has(std::string_view text) const { return (head + body).find(text) != std::string::npos; }
  };
  Answer answer(bool to_head = false);
  bool at_end();  // the server has closed and nothing is left to read
  void half_close();
  void reset();  // closes with RST
  void close();

 private:
  bool fill();  // false: end or patience
  int fd_ = -1;
  bool ended_ = false;
  std::string buffered_;
};

class Fixture {
 public:
  explicit Fixture(Server::Handler handler, ServerOptions options = quick(), Server::Streamed streamed = {});
  ~Fixture();

  static ServerOptions quick() {
    ServerOptions options;
    options.listen = {"127.0.0.1:0"};
    options.linger_timeout = std::chrono::milliseconds(300);
    return options;
  }

  // Runs on the loop thread and waits for the result.
  template <class Work>
  auto on_loop(Work work) {
    std::packaged_task<decltype(work())()> task(std::move(work));
    auto result = task.get_future();
    post(std::packaged_task<void()>([&task] { task(); }));
    return result.get();
  }
  ServerStats stats() {
    return on_loop([this] { return server->stats(); });
  }
  // Waits until `condition`, asked on the loop thread, holds; false after kPatience.
  bool eventually(const std::function<bool()>& condition);
  // Client::Answer to one request on a new connection.
  Client::Answer ask(std::string_view request);

  boost::asio::io_context loop{1};
  std::unique_ptr<Server> server;
  std::string address;

 private:
  void post(std::packaged_task<void()> task);
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{loop.get_executor()};
  std::thread thread_;
};

// Answers 200 with the method, path, query and body, each on a line.
void echo(Exchange& exchange);

inline std::string get(std::string_view path, std::string_view headers = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: localhost\r\n" + std::string(headers) + "\r\n";
}
inline std::string post(std::string_view path, std::string_view body, std::string_view headers = "") {
  return "POST " + std::string(path) +
         " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
         std::string(headers) + "\r\n" + std::string(body);
}

}  // namespace weir::http::test
