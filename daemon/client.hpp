// A small blocking HTTP/1.1 client for the command line: one connection per request, over TCP or a Unix
// socket. Not for the daemon's own use.
#pragma once

#include <chrono>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/config.hpp"
#include "daemon/endpoint.hpp"

namespace weir::daemon {

// No daemon there, or none that answers. what() says which address, why, and what to do.
struct Unreachable : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// The answer began and broke off, or is not HTTP.
struct BrokenAnswer : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct ClientRequest {
  std::string method = "GET";
  std::string target;  // "/v1/quota?model=…", without the endpoint's prefix
  std::string accept = "application/json";
  std::string body;                                               // JSON; sent if not empty
  std::vector<std::pair<std::string, std::string>> headers = {};  // more of them
  std::chrono::milliseconds patience = std::chrono::seconds(
      10);  // to connect (at most 5 s), for the first byte of the answer, then between bytes
};

struct ClientAnswer {
  int status = 0;
  std::string content_type;
  std::string body;  // empty if it went to a sink
};

class Client {
 public:
  using Sink = std::function<void(std::string_view piece)>;

  Client(Endpoint endpoint, Secret token) : endpoint_(std::move(endpoint)), token_(std::move(token)) {}

  // Throws Unreachable or BrokenAnswer. A body of status 200 goes to `sink`, if there is one, piece by piece
  // as it comes.
  ClientAnswer send(const ClientRequest& request, const Sink& sink = nullptr);

  [[nodiscard]] const Endpoint& endpoint() const { return endpoint_; }

 private:
  Endpoint endpoint_;
  Secret token_;
};

// "no daemon at http://127.0.0.1:8411 (connection refused): start it with `weir serve`"
std::string unreachable_message(const Endpoint& endpoint, std::string_view why);

}  // namespace weir::daemon
