#include "proxy/callers.hpp"

#include <simdjson.h>

#include "http/text.hpp"
#include "text/name.hpp"

namespace weir::proxy {

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

std::string_view named_consumer(const http::Request& request) {
  const std::string_view named = request.header("X-Weir-Consumer");
  return named.empty() ? "default" : named;
}

std::optional<std::string> consumer_fault(std::string_view name) {
  if (!simdjson::validate_utf8(name.data(), name.size())) return "must be UTF-8";
  return name_fault(name);
}

}  // namespace weir::proxy
