// Asks an HTTP proxy for a tunnel to an origin (CONNECT; RFC 9110, 9.3.6), on a transport that is connected
// to the proxy. Waits for nothing itself: whoever owns the transport calls advance() until it is done. Owned
// by one dialer; loop thread.
#pragma once

#include <string>

#include "http/input_buffer.hpp"

#include "upstream/failure.hpp"
#include "upstream/origin.hpp"
#include "upstream/response_parser.hpp"
#include "upstream/transport.hpp"
#include "upstream/via.hpp"

namespace weir::upstream {

class Tunnel {
 public:
  Tunnel(const Origin& origin, const Via& via);

  // done: the next byte is the origin's. want_read, want_write: call again then. failed: see failure().
  Io advance(Transport& transport);
  [[nodiscard]] const Failure& failure() const { return failure_; }

 private:
  Io fail(std::string text);
  Io read(Transport& transport);
  Io judge(int status);

  std::string request_;
  std::size_t sent_ = 0;
  http::InputBuffer input_;
  ResponseParser parser_;
  int interim_ = 0;             // 1xx answers
  std::string proxy_, origin_;  // for messages
  bool has_credentials_;
  Failure failure_;
};

}  // namespace weir::upstream
