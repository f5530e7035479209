#include "daemon/client.hpp"

#include <doctest/doctest.h>

#include "fixture.hpp"

namespace weir::daemon {

TEST_CASE("a URL names a TCP address or a Unix socket") {
  const Endpoint plain = parse_endpoint("http://127.0.0.1:8411");
  CHECK(plain.problem.empty());
  CHECK(plain.host == "127.0.0.1");
  CHECK(plain.port == "8411");
  CHECK(plain.prefix.empty());
  CHECK(plain.authority() == "127.0.0.1:8411");

  const Endpoint prefixed = parse_endpoint("http://gateway.example/weir/");
  CHECK(prefixed.problem.empty());
  CHECK(prefixed.host == "gateway.example");
  CHECK(prefixed.port == "80");
  CHECK(prefixed.prefix == "/weir");

  const Endpoint v6 = parse_endpoint("http://[::1]:8411/");
  CHECK(v6.problem.empty());
  CHECK(v6.host == "::1");
  CHECK(v6.port == "8411");
  CHECK(v6.authority() == "[::1]:8411");

  const Endpoint bare = parse_endpoint("127.0.0.1:9000");
  CHECK(bare.problem.empty());
  CHECK(bare.text == "http://127.0.0.1:9000");

  const Endpoint socket = parse_endpoint("unix:/run/weir/weir.sock");
  CHECK(socket.unix_socket);
  CHECK(socket.host == "/run/weir/weir.sock");
  CHECK(socket.authority() == "localhost");
}

TEST_CASE("a URL that cannot be is refused in words") {
  CHECK(parse_endpoint("https://weir.example").problem ==
        "is https, which the daemon does not speak: name the plain address, or the end of a tunnel to it");
  CHECK(parse_endpoint("ftp://weir.example").problem == "must begin with http:// or unix:");
  CHECK(parse_endpoint("localhost").problem == "needs a port, as in \"http://127.0.0.1:8411\"");
  CHECK(parse_endpoint("http://:8411").problem == "names no host");
  CHECK(parse_endpoint("http://a:b@host:1").problem == "must hold neither a user, nor a query, nor blanks");
  CHECK(parse_endpoint("http://host:99999").problem == "has no port from 1 to 65535 after its last colon");
  CHECK(parse_endpoint("http://[::1").problem == "lacks a closing bracket");
  CHECK(parse_endpoint("unix:weir.sock").problem == "needs an absolute path after \"unix:\"");
}

TEST_CASE("the daemon is the given one, else the environment's") {
  Environment environment;
  environment.url = "http://127.0.0.1:2";
  CHECK(find_daemon("http://127.0.0.1:1", environment).port == "1");
  CHECK(find_daemon("", environment).port == "2");
}

TEST_CASE("a query keeps what it may and encodes the rest") {
  CHECK(percent_encode("gemini-2.5-flash") == "gemini-2.5-flash");
  CHECK(percent_encode("a b&c=d+e") == "a%20b%26c%3Dd%2Be");
  CHECK(percent_encode("2026-11-22T08:00:00.000Z") == "2026-11-22T08:00:00.000Z");
  CHECK(percent_encode("ä") == "%C3%A4");
}

TEST_CASE("a daemon that is not there is told with its address and what to do") {
  CHECK(unreachable_message(parse_endpoint("http://127.0.0.1:8411"), "Connection refused") ==
        "no daemon at http://127.0.0.1:8411 (connection refused): start it with `weir serve`");

  const TempDirectory directory;
  const std::string url = "unix:" + directory.path("none.sock");
  Client client(parse_endpoint(url), Secret());
  CHECK_THROWS_WITH_AS(
      client.send({}),
      ("no daemon at " + url + " (no such file or directory): start it with `weir serve`").c_str(),
      Unreachable);
}

}  // namespace weir::daemon
