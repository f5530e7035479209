#include "daemon/endpoint.hpp"

#include <charconv>
#include <filesystem>

#include <fmt/format.h>

namespace weir::daemon {
namespace {

bool is_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
  return !text.empty() && parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && port != 0;
}

}  // namespace

std::string Endpoint::authority() const {
  if (unix_socket) return "localhost";
  const bool v6 = host.find(':') != std::string::npos;
  return v6 ? fmt::format("[{}]:{}", host, port) : fmt::format("{}:{}", host, port);
}

Endpoint parse_endpoint(std::string_view text) {
  Endpoint endpoint;
  endpoint.text = text;
  const auto wrong = [&](std::string problem) {
    endpoint.problem = std::move(problem);
    return endpoint;
  };
  if (text.starts_with("unix:")) {
    text.remove_prefix(5);
    if (text.starts_with("//")) text.remove_prefix(2);
    if (!text.starts_with('/')) return wrong("needs an absolute path after \"unix:\"");
    endpoint.unix_socket = true;
    endpoint.host = text;
    return endpoint;
  }
  if (text.starts_with("https://")) {
    return wrong(
        "is https, which the daemon does not speak: name the plain address, or the end of a tunnel to it");
  }
  endpoint.port = "80";
  if (text.starts_with("http://")) {
    text.remove_prefix(7);
  } else if (text.find("://") != std::string_view::npos) {
    return wrong("must begin with http:// or unix:");
  } else if (text.find(':') == std::string_view::npos) {
    return wrong("needs a port, as in \"http://127.0.0.1:8411\"");
  } else {
    endpoint.text = fmt::format("http://{}", text);
  }
  while (endpoint.text.ends_with('/')) endpoint.text.pop_back();

  const std::size_t slash = text.find('/');
  if (slash != std::string_view::npos) endpoint.prefix = text.substr(slash);
  while (endpoint.prefix.ends_with('/')) endpoint.prefix.pop_back();
  std::string_view authority = text.substr(0, slash);
  if (authority.find_first_of("@?# \t\r\n") != std::string_view::npos ||
      endpoint.prefix.find_first_of("?# \t\r\n") != std::string::npos) {
    return wrong("must hold neither a user, nor a query, nor blanks");
  }
  const std::size_t end = authority.starts_with('[') ? authority.find(']') : std::string_view::npos;
  if (authority.starts_with('[') && end == std::string_view::npos) return wrong("lacks a closing bracket");
  const std::size_t colon = authority.find(':', end == std::string_view::npos ? 0 : end);
  if (colon != std::string_view::npos) {
    endpoint.port = authority.substr(colon + 1);
    if (!is_port(endpoint.port)) return wrong("has no port from 1 to 65535 after its last colon");
  }
  authority = authority.substr(0, colon);
  if (authority.starts_with('[')) authority = authority.substr(1, authority.size() - 2);
  if (authority.empty()) return wrong("names no host");
  endpoint.host = authority;
  return endpoint;
}

Endpoint find_daemon(const std::string& given, const Environment& environment) {
  if (!given.empty()) return parse_endpoint(given);
  if (!environment.url.empty()) return parse_endpoint(environment.url);
  constexpr auto kSocket = "/run/weir/weir.sock";
  std::error_code ignored;
  if (std::filesystem::exists(kSocket, ignored)) return parse_endpoint(std::string("unix:") + kSocket);
  return parse_endpoint("http://127.0.0.1:8411");
}

std::string percent_encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~:,/*").find(c) != std::string_view::npos;
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace weir::daemon
