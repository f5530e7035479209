#include "upstream/origin.hpp"

#include <algorithm>
#include <charconv>

#include "http/guard.hpp"
#include "http/text.hpp"

namespace weir::upstream {
namespace {

bool is_port(std::string_view text) {
  unsigned port = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), port);
  return problem == std::errc() && end == text.data() + text.size() && port >= 1 && port <= 65535;
}

}  // namespace

std::string host_text(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

std::string host_and_port(const std::string& host, const std::string& port) {
  return host_text(host) + ":" + port;
}

std::string Origin::authority() const {
  std::string text;
  append_authority(text);
  return text;
}

void Origin::append_authority(std::string& out) const {
  const bool brackets = host.find(':') != std::string::npos;
  if (brackets) out += '[';
  out += host;
  if (brackets) out += ']';
  if (port != (tls ? "443" : "80")) out.append(":").append(port);
}

bool Origin::loopback() const {
  return http::is_loopback_host(host_text(host));
}

std::optional<BaseUrl> parse_base_url(std::string_view url) {
  BaseUrl base;
  if (http::starts_with_ignoring_case(url, "https://")) {
    url.remove_prefix(8);
  } else if (http::starts_with_ignoring_case(url, "http://")) {
    base.origin.tls = false;
    url.remove_prefix(7);
  } else {
    return std::nullopt;
  }
  const std::string_view authority = url.substr(0, url.find('/'));
  base.path = url.substr(authority.size());
  while (base.path.ends_with('/')) base.path.pop_back();
  const std::string_view host = http::host_of(authority);
  if (host.empty()) return std::nullopt;
  // What host_of() left out: a final dot, and ":port".
  const std::size_t colon = authority.find(':', authority.starts_with('[') ? host.size() : 0);
  base.origin.port = base.origin.tls ? "443" : "80";
  if (colon != std::string_view::npos) {
    const std::string_view port = authority.substr(colon + 1);
    if (!is_port(port)) return std::nullopt;
    base.origin.port = port;
  }
  base.origin.host = host.starts_with('[') ? host.substr(1, host.size() - 2) : host;
  std::transform(base.origin.host.begin(), base.origin.host.end(), base.origin.host.begin(),
                 http::ascii_lower);
  return base;
}

}  // namespace weir::upstream
