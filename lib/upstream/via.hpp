// An HTTP proxy on the way to an origin, and which origins are reached without it. Values and pure functions.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <variant>

#include "upstream/origin.hpp"

namespace weir::upstream {

struct Via {
  std::string host, port;     // as an Origin's
  std::string authorization;  // "Basic dXNlcjpwYXNz", a secret; "" = the proxy asks for none

  auto operator<=>(const Via&) const = default;
  [[nodiscard]] std::string authority() const;  // "proxy.example:3128"
};

// The value of Proxy-Authorization for "user:password" (RFC 7617).
std::string basic_authorization(std::string_view user_and_password);

// "http://[user:password@]host[:port][/]", the scheme left out or not; without a port it is 80. User and
// password may be percent-encoded. Anything else: why it is none, as the end of a sentence that begins with
// its name, without a word of what was given (it may hold a password).
std::variant<Via, std::string_view> parse_via(std::string_view text);

// Whether NO_PROXY excepts `origin`. By curl's rules: a list with commas or blanks; "*" is everything; a
// domain, with or without a leading dot (or "*."), is itself and all below it; an IP address or a CIDR range
// is meant literally, no name is looked up. Each may end in ":port". Beyond curl's, and as in most other
// programs, loopback addresses and localhost are always excepted.
bool goes_direct(const Origin& origin, std::string_view no_proxy);

}  // namespace weir::upstream
