// Who calls, as the head of a request says. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "http/exchange.hpp"

namespace weir::proxy {

// The key that the caller presents, in any of its forms: x-goog-api-key, Authorization: Bearer (or Token, as
// Google's for short-lived ones), a WebSocket subprotocol, ?key=; "" if none. `query_key` is that of the
// query. SDKs insist on one, so it may be anything.
inline constexpr std::string_view kSubprotocolKey = "openai-insecure-api-key.";
std::string_view presented_key(const http::Request& request, std::string_view query_key);

// For a caller without a consumer's token: what X-Weir-Consumer says, else "default".
std::string_view named_consumer(const http::Request& request);
// nullopt if that is a name as the API takes it (text/name.hpp). Else what is wrong: "must be UTF-8".
std::optional<std::string> consumer_fault(std::string_view name);

}  // namespace weir::proxy
