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

// Whether the caller may ask on the account of `consumer` (empty: nobody named). False: answered with a 403.
inline bool may_name(http::Exchange& exchange, std::string_view consumer) {
  const std::string_view own = exchange.request().consumer;
  if (own.empty() || consumer.empty() || consumer == own) return true;
  forbidden(exchange,
            fmt::format("the token is consumer {}'s, not {}'s; leave \"consumer\" out", own, consumer));
  return false;
}

}  // namespace weir::api
