// Who calls, as the head of a request says. Pure functions.
#pragma once

#include <string_view>

#include "http/exchange.hpp"

namespace weir::proxy {

// The key that the caller presents, in any of its forms: x-goog-api-key, Authorization: Bearer (or Token, as
// Google's for short-lived ones), a WebSocket subprotocol, ?key=; "" if none. `query_key` is that of the
// query. SDKs insist on one, so it may be anything.
inline constexpr std::string_view kSubprotocolKey = "openai-insecure-api-key.";
std::string_view presented_key(const http::Request& request, std::string_view query_key);

// For a caller without a consumer's token: what X-Weir-Consumer says, if that is a sane name, else "default".
std::string_view named_consumer(const http::Request& request);

}  // namespace weir::proxy
