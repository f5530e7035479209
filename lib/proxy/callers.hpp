// Who calls: from the key that a caller presents to a consumer's name. Owned by the proxy; constant.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.hpp"

#include "proxy/setup.hpp"

namespace weir::proxy {

// The key that the caller presents, in any of its forms: x-goog-api-key, Authorization: Bearer (or Token, as
// Google's for short-lived ones), a WebSocket subprotocol, ?key=; "" if none. `query_key` is that of the
// query. SDKs insist on one, so it may be anything.
inline constexpr std::string_view kSubprotocolKey = "openai-insecure-api-key.";
std::string_view presented_key(const http::Request& request, std::string_view query_key);

class Callers {
 public:
  Callers(std::vector<ConsumerToken> tokens, std::string bearer_token)
      : tokens_(std::move(tokens)), bearer_token_(std::move(bearer_token)) {}

  // The consumer: the one whose token `key` is, else what X-Weir-Consumer says, else "default". nullopt: the
  // daemon has a bearer token, the request came over TCP, and `key` is neither that nor a consumer's.
  // Compares with every token, and takes the same time wherever they differ.
  [[nodiscard]] std::optional<std::string> identify(std::string_view key, const http::Request& request) const;

 private:
  std::vector<ConsumerToken> tokens_;
  std::string bearer_token_;
};

}  // namespace weir::proxy
