// What a consumer's token does not open, and who uses the other.
#pragma once

#include <string>
#include <utility>

#include <fmt/format.h>

#include "http/problem.hpp"

namespace weir::api {

// For the log: who did what everybody feels.
inline std::string described(const http::Request& request) {
  if (request.peer) return fmt::format("user {}, process {}", request.peer->user, request.peer->process);
  return request.over_unix_socket ? "a client of the unix socket" : "a client over TCP";
}

inline void forbidden(http::Exchange& exchange, std::string detail) {
  http::reply(exchange, {.status = 403,
                         .type = "urn:weir:problem:not-yours",
                         .title = "Not for this token",
                         .detail = std::move(detail)});
}

}  // namespace weir::api
