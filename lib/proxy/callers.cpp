#include "proxy/callers.hpp"

#include <algorithm>

#include "http/text.hpp"

namespace weir::proxy {
namespace {

bool same(std::string_view given, std::string_view secret) {
  unsigned difference = given.size() == secret.size() ? 0 : 1;
  for (std::size_t i = 0; i < secret.size(); ++i) {
    const char c = i < given.size() ? given[i] : '\0';
    difference |= static_cast<unsigned char>(c) ^ static_cast<unsigned char>(secret[i]);
  }
  return difference == 0;
}

// As a label and a name in the ledger: 1 to 128 printable characters.
bool sane_name(std::string_view name) {
  return !name.empty() && name.size() <= 128 &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c != '\x7f'; });
}

}  // namespace

std::string_view presented_key(const http::Request& request, std::string_view query_key) {
  if (const auto key = request.header("x-goog-api-key"); !key.empty()) return key;
  const std::string_view authorization = request.header("authorization");
  for (const std::string_view scheme : {"bearer ", "token "}) {
    if (!http::starts_with_ignoring_case(authorization, scheme)) continue;
    if (const auto key = http::trimmed(authorization.substr(scheme.size())); !key.empty()) return key;
  }
  std::string_view subprotocol_key;
  http::for_each_element(request.header("sec-websocket-protocol"), [&](std::string_view element) {
    if (element.starts_with(kSubprotocolKey)) subprotocol_key = element.substr(kSubprotocolKey.size());
  });
  return subprotocol_key.empty() ? query_key : subprotocol_key;
}

std::optional<std::string> Callers::identify(std::string_view key, const http::Request& request) const {
  const ConsumerToken* found = nullptr;
  for (const ConsumerToken& candidate : tokens_) {
    if (same(key, candidate.token)) found = &candidate;
  }
  if (found != nullptr) return found->consumer;
  if (!bearer_token_.empty() && !request.over_unix_socket && !same(key, bearer_token_)) return std::nullopt;
  const std::string_view named = request.header("X-Weir-Consumer");
  return sane_name(named) ? std::string(named) : "default";
}

}  // namespace weir::proxy
