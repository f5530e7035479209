// What names an HTTP proxy, and which origins need none.
#include "upstream/via.hpp"

#include <doctest/doctest.h>

namespace weir::upstream {
namespace {

Via via_of(std::string_view text) {
  const auto parsed = parse_via(text);
  REQUIRE(std::holds_alternative<Via>(parsed));
  return std::get<Via>(parsed);
}

Origin origin_of(std::string_view url) {
  const auto base = parse_base_url(url);
  REQUIRE(base);
  return base->origin;
}

}  // namespace

TEST_CASE("a proxy is named by a URL, or by host and port") {
  for (const char* text : {"http://proxy.example:3128", "HTTP://proxy.example:3128/", "proxy.example:3128"}) {
    CAPTURE(text);
    CHECK(via_of(text) == Via{"proxy.example", "3128", ""});
  }
  CHECK(via_of("http://10.0.0.1").authority() == "10.0.0.1:80");
  CHECK(via_of("http://[fd00::1]:8080").host == "fd00::1");
  CHECK(via_of("http://[fd00::1]:8080").authority() == "[fd00::1]:8080");
}

TEST_CASE("user and password go into the authorization, decoded") {
  // From RFC 7617.
  CHECK(basic_authorization("Aladdin:open sesame") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  CHECK(via_of("http://Aladdin:open%20sesame@p:1") == Via{"p", "1", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="});
  CHECK(via_of("a:b@c@p:1").authorization == basic_authorization("a:b@c"));
  CHECK(via_of("a:@p:1").authorization == basic_authorization("a:"));
}

TEST_CASE("what is no HTTP proxy is refused without quoting it") {
  for (const char* text :
       {"", "http://", "https://p:1", "socks5://p:1", "http://p:x", "http://p:65536", "http://p:1/path",
        "http://secret@p:1", "http://u:secret%0d%0aX@p:1", "http://[::1", "two words:1"}) {
    CAPTURE(text);
    const auto parsed = parse_via(text);
    REQUIRE(std::holds_alternative<std::string_view>(parsed));
    CHECK(std::get<std::string_view>(parsed).find("secret") == std::string_view::npos);
  }
}

TEST_CASE("NO_PROXY names domains, addresses, ranges, ports") {
  struct Case {
    const char* url;
    const char* no_proxy;
    bool direct;
  };
  const Case cases[] = {
      {"https://api.example.org", "", false},
      {"https://api.example.org", "*", true},
      {"https://api.example.org", "other.org, *", true},
      {"https://api.example.org", "example.org", true},
      {"https://api.example.org", ".example.org", true},
      {"https://api.example.org", "*.example.org", true},
      {"https://example.org", ".example.org", true},
      {"https://API.Example.Org", "a.net,eXample.org.", true},
      {"https://api.example.org", "a.net example.org", true},
      {"https://notexample.org", "example.org", false},
      {"https://example.org", "api.example.org", false},
      {"https://api.example.org", "*.org.*", false},
      {"https://api.example.org", ",, . ,", false},
      {"https://api.example.org", "example.org:443", true},
      {"https://api.example.org:8443", "example.org:443", false},
      {"https://api.example.org:8443", "example.org:8443", true},
      {"https://10.1.2.3", "10.1.2.3", true},
      {"https://10.1.2.3", "10.1.2.3:443", true},
      {"https://10.1.2.3", "10.1.2.30", false},
      {"https://10.1.2.3", "1.2.3", false},
      {"https://10.1.2.3", "10.0.0.0/8", true},
      {"https://10.1.2.3", "10.1.2.0/31", false},
      {"https://10.1.2.3", "10.1.2.2/31", true},
      {"https://10.1.2.3", "0.0.0.0/0", true},
      {"https://10.1.2.3", "10.0.0.0/33", false},
      {"https://10.1.2.3", "10.0.0.0/", false},
      {"https://10.1.2.3", "fd00::/8", false},
      {"https://api.example.org", "0.0.0.0/0", false},
      {"https://[fd00::7]", "fd00::/8", true},
      {"https://[fd00::7]", "fd00:0::7", true},
      {"https://[fd00::7]", "[fd00::7]", true},
      {"https://[fd00::7]:8443", "[fd00::7]:443", false},
      {"https://[fd00::7]", "fd01::/16", false},
      {"https://localhost", "", true},
      {"http://127.0.0.9:1", "", true},
      {"http://[::1]:1", "", true},
  };
  for (const auto& [url, no_proxy, direct] : cases) {
    CAPTURE(url);
    CAPTURE(no_proxy);
    CHECK(goes_direct(origin_of(url), no_proxy) == direct);
  }
}

}  // namespace weir::upstream
