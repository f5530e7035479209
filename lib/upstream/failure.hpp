// Why there is no answer, or none to its end. A value.
#pragma once

#include <cstdint>
#include <string>

namespace weir::upstream {

enum class Fault : std::uint8_t {
  none,
  resolve,             // the host's name is not known
  connect,             // no address can be reached
  tls,                 // the handshake failed
  certificate,         // the server did not prove to be that host
  via,                 // the HTTP proxy on the way did not let us through
  connect_timeout,     // all that was not done in time
  broken,              // the connection broke off, or was closed, before or in the answer
  first_byte_timeout,  // no answer in time
  idle_timeout,        // the request was not taken, or the answer did not go on, in time
  malformed,           // not HTTP, or not by its rules
  too_large,           // a header beyond 64 KiB
};

struct Failure {
  Fault fault = Fault::none;
  std::string text;           // for people; holds no secret
  bool request_sent = false;  // all of it was handed to the connection: the server may have acted on it
};

}  // namespace weir::upstream
