#include "upstream/via.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>
#include <openssl/evp.h>

#include "http/text.hpp"
#include "http/uri.hpp"

namespace weir::upstream {
namespace {

namespace ip = boost::asio::ip;

// The length of the prefix in "10.0.0.0/8"; -1: it is none.
int prefix_length(std::string_view digits, int most) {
  int length = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  const bool whole = problem == std::errc() && end == digits.data() + digits.size();
  return whole && length >= 0 && length <= most ? length : -1;
}

bool in_range(const ip::address& address, std::string_view range) {
  const std::string_view base = range.substr(0, range.find('/'));
  const std::string_view digits = range.substr(std::min(base.size() + 1, range.size()));
  boost::system::error_code ec;
  const auto first = ip::make_address(std::string(base), ec);
  if (ec || first.is_v4() != address.is_v4()) return false;
  if (base.size() == range.size()) return first == address;
  const int length = prefix_length(digits, first.is_v4() ? 32 : 128);
  if (length < 0) return false;
  if (first.is_v4())
    return ip::network_v4(first.to_v4(), static_cast<unsigned short>(length)).canonical() ==
           ip::network_v4(address.to_v4(), static_cast<unsigned short>(length)).canonical();
  return ip::network_v6(first.to_v6(), static_cast<unsigned short>(length)).canonical() ==
         ip::network_v6(address.to_v6(), static_cast<unsigned short>(length)).canonical();
}

bool in_domain(std::string_view host, std::string_view domain) {
  if (domain.starts_with("*.")) domain.remove_prefix(1);
  if (domain.starts_with('.')) domain.remove_prefix(1);
  if (domain.ends_with('.')) domain.remove_suffix(1);
  if (domain.empty() || host.size() < domain.size()) return false;
  const std::size_t before = host.size() - domain.size();
  return http::equal_ignoring_case(host.substr(before), domain) && (before == 0 || host[before - 1] == '.');
}

// One element of NO_PROXY.
bool excepts(std::string_view element, const Origin& origin, const ip::address* address) {
  if (element == "*") return true;
  std::string_view port;
  if (element.starts_with('[')) {  // "[::1]", "[::1]:443"
    const std::size_t end = element.find(']');
    if (end == std::string_view::npos) return false;
    const std::string_view rest = element.substr(end + 1);
    if (rest.starts_with(':')) port = rest.substr(1);
    element = element.substr(1, end - 1);
  } else if (const std::size_t colon = element.find(':');
             colon != std::string_view::npos && colon == element.rfind(':')) {
    port = element.substr(colon + 1);
    element = element.substr(0, colon);
  }
  if (!port.empty() && port != origin.port) return false;
  return address != nullptr ? in_range(*address, element) : in_domain(origin.host, element);
}

}  // namespace

std::string Via::authority() const {
  return host_and_port(host, port);
}

std::string basic_authorization(std::string_view user_and_password) {
  std::string encoded((user_and_password.size() + 2) / 3 * 4 + 1, '\0');
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                                     reinterpret_cast<const unsigned char*>(user_and_password.data()),
                                     static_cast<int>(user_and_password.size()));
  encoded.resize(static_cast<std::size_t>(length));
  return "Basic " + encoded;
}

std::variant<Via, std::string_view> parse_via(std::string_view text) {
  Via via;
  if (const std::size_t scheme = text.find("://"); scheme != std::string_view::npos) {
    if (!http::equal_ignoring_case(text.substr(0, scheme), "http"))
      return "is not an http:// proxy: others (https, socks) are not supported";
    text.remove_prefix(scheme + 3);
  }
  // The last one: a password that is not encoded may hold another.
  if (const std::size_t at = text.rfind('@'); at != std::string_view::npos) {
    const auto user = http::percent_decode(text.substr(0, at));
    if (!user || user->find(':') == std::string::npos || user->find_first_of("\r\n") != std::string::npos)
      return "has something before '@' that is not user:password, percent-encoded";
    via.authorization = basic_authorization(*user);
    text.remove_prefix(at + 1);
  }
  while (text.ends_with('/')) text.remove_suffix(1);
  const auto base = parse_base_url("http://" + std::string(text));
  if (!base || !base->path.empty()) return "is not http://host:port";
  via.host = base->origin.host;
  via.port = base->origin.port;
  return via;
}

bool goes_direct(const Origin& origin, std::string_view no_proxy) {
  if (origin.loopback()) return true;
  boost::system::error_code ec;
  const ip::address address = ip::make_address(origin.host, ec);
  constexpr std::string_view kBetween = ", \t";
  while (!no_proxy.empty()) {
    const std::string_view element = no_proxy.substr(0, no_proxy.find_first_of(kBetween));
    no_proxy.remove_prefix(std::min(element.size() + 1, no_proxy.size()));
    if (!element.empty() && excepts(element, origin, ec ? nullptr : &address)) return true;
  }
  return false;
}

}  // namespace weir::upstream
