#include "upstream/origin.hpp"

#include <doctest/doctest.h>

namespace weir::upstream {

TEST_CASE("a base URL is taken apart") {
  const auto base = parse_base_url("https://generativelanguage.googleapis.com/");
  REQUIRE(base);
  CHECK(base->origin == Origin{true, "generativelanguage.googleapis.com", "443"});
  CHECK(base->path.empty());
  CHECK(base->origin.authority() == "generativelanguage.googleapis.com");
  CHECK(!base->origin.loopback());

  const auto groq = parse_base_url("HTTPS://api.groq.com:8443/openai/v1/");
  REQUIRE(groq);
  CHECK(groq->origin.authority() == "api.groq.com:8443");
  CHECK(groq->path == "/openai/v1");

  const auto six = parse_base_url("http://[::1]:8080");
  REQUIRE(six);
  CHECK(six->origin == Origin{false, "::1", "8080"});
  CHECK(six->origin.authority() == "[::1]:8080");
  CHECK(six->origin.loopback());
  CHECK(parse_base_url("http://[::1]")->origin.authority() == "[::1]");
  CHECK(parse_base_url("http://localhost")->origin.loopback());
  CHECK(parse_base_url("http://127.0.0.1:1/v1")->origin.port == "1");
  CHECK(parse_base_url("http://x:65535")->origin.port == "65535");
}

TEST_CASE("a host has one spelling, whatever the case in which it is written") {
  const auto loud = parse_base_url("https://API.Example.COM./V1");
  REQUIRE(loud);
  CHECK(loud->origin == parse_base_url("https://api.example.com/V1")->origin);
  CHECK(loud->origin.authority() == "api.example.com");
  CHECK(loud->path == "/V1");  // a path is as it is
  CHECK(parse_base_url("http://[FD00::A]:8080")->origin == Origin{false, "fd00::a", "8080"});
  CHECK(parse_base_url("http://LocalHost")->origin.loopback());
}

TEST_CASE("what is no base URL is refused") {
  for (const char* text :
       {"", "api.example.com", "ftp://x", "https://", "https:///x", "http://x:", "http://x:1b",
        "http://x:123456", "http://x:0", "http://x:65536", "http://x:70000", "http://a@b", "http://[::1"}) {
    CAPTURE(text);
    CHECK(!parse_base_url(text));
  }
}

}  // namespace weir::upstream
