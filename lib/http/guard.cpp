#include "http/guard.hpp"

#include <algorithm>

#include <boost/asio/ip/address_v6.hpp>
#include <fmt/format.h>

#include "http/text.hpp"

namespace weir::http {
namespace {

bool all_digits(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// "127.a.b.c" in decimal, each part at most 255.
bool is_loopback_v4(std::string_view host) {
  int parts = 0;
  while (true) {
    const auto part = host.substr(0, host.find('.'));
    if (part.empty() || part.size() > 3 || !all_digits(part)) return false;
    int value = 0;
    for (const char c : part) value = value * 10 + (c - '0');
    if (value > 255 || (parts == 0 && value != 127)) return false;
    ++parts;
    if (part.size() == host.size()) return parts == 4;
    host.remove_prefix(part.size() + 1);
  }
}

}  // namespace

std::string_view host_of(std::string_view authority) {
  std::string_view host, rest;
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    if (end == std::string_view::npos) return {};
    host = authority.substr(0, end + 1);
    rest = authority.substr(end + 1);
  } else {
    const auto end = std::min(authority.find(':'), authority.size());
    host = authority.substr(0, end);
    rest = authority.substr(end);
    if (host.ends_with('.')) host.remove_suffix(1);
    if (host.find_first_of("/\\@ \t?#,") != std::string_view::npos) return {};
  }
  if (!rest.empty() && (rest.front() != ':' || rest.size() > 6 || !all_digits(rest.substr(1)))) return {};
  return host;
}

bool is_loopback_host(std::string_view host) {
  constexpr std::string_view kName = "localhost";
  if (host.starts_with("127.")) return is_loopback_v4(host);
  if (host.starts_with('[') && host.ends_with(']')) {
    boost::system::error_code ec;
    const auto address = boost::asio::ip::make_address_v6(std::string(host.substr(1, host.size() - 2)), ec);
    return !ec && address.is_loopback();
  }
  if (host.size() < kName.size()) return false;
  if (!equal_ignoring_case(host.substr(host.size() - kName.size()), kName)) return false;
  return host.size() == kName.size() ||
         (host.size() > kName.size() + 1 && host[host.size() - kName.size() - 1] == '.');
}

Guard::Guard(const std::vector<std::string>& allowed_hosts) {
  for (const auto& host : allowed_hosts) allow(host);
}

void Guard::allow(std::string_view host) {
  if (const auto name = host_of(host); !name.empty()) allowed_.emplace_back(name);
}

bool Guard::known_host(std::string_view authority) const {
  const auto host = host_of(authority);
  if (host.empty()) return false;
  return is_loopback_host(host) ||
         std::any_of(allowed_.begin(), allowed_.end(),
                     [&](const std::string& allowed) { return equal_ignoring_case(host, allowed); });
}

bool Guard::known_origin(std::string_view origin, std::string_view own_host) const {
  const auto scheme = origin.find("://");
  if (scheme == std::string_view::npos) return false;  // "null": a sandboxed page, a file
  if (!equal_ignoring_case(origin.substr(0, scheme), "http") &&
      !equal_ignoring_case(origin.substr(0, scheme), "https")) {
    return false;
  }
  const auto authority = origin.substr(scheme + 3);
  const auto host = host_of(authority);
  return !host.empty() && (equal_ignoring_case(host, host_of(own_host)) || known_host(authority));
}

std::optional<Problem> Guard::check(const Visit& visit) const {
  for (const auto& host : {visit.host, visit.target_authority}) {
    if (host && !known_host(*host)) {
      return Problem{.status = 403,
                     .type = "urn:weir:problem:foreign-host",
                     .title = "Host not allowed",
                     .detail = fmt::format(
                         "\"{}\" is not a loopback name; to be called by it, add it to allowed_hosts in "
                         "[server] of the configuration",
                         *host)};
    }
  }
  if (visit.origin && !known_origin(*visit.origin, visit.host.value_or(std::string_view()))) {
    return Problem{
        .status = 403,
        .type = "urn:weir:problem:foreign-origin",
        .title = "Origin not allowed",
        .detail = fmt::format("pages of \"{}\" may not call this daemon; to let them, add its host to "
                              "allowed_hosts in [server] of the configuration",
                              *visit.origin)};
  }
  return std::nullopt;
}

}  // namespace weir::http
