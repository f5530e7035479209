// What never reaches a handler: malformed, ambiguous, oversized, foreign or unauthorised requests.
#include <doctest/doctest.h>

#include "fixture.hpp"

namespace weir::http::test {
namespace {

struct Bad {
  const char* what;
  std::string request;
  int status;
};

const std::string kHost = "Host: localhost\r\n";

std::string head(const std::string& lines) {
  return "POST / HTTP/1.1\r\n" + kHost + lines + "\r\n";
}

}  // namespace

TEST_CASE("requests that could be read in two ways are refused, and the connection is closed") {
  Fixture server(echo);
  using namespace std::string_literals;
  const Bad bad[] = {
      {"length and chunked", head("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n", 400},
      {"chunked and length", head("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n") + "0\r\n\r\n", 400},
      {"another coding", head("Transfer-Encoding: gzip\r\n"), 501},
      {"another coding before chunked", head("Transfer-Encoding: gzip, chunked\r\n") + "0\r\n\r\n", 501},
      {"another coding and a length", head("Transfer-Encoding: gzip\r\nContent-Length: 4\r\n") + "body", 501},
      {"chunked twice", head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n",
       400},
      {"chunked, then identity", head("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"), 400},
      {"chunked twice in one line", head("Transfer-Encoding: chunked, chunked\r\n"), 501},
      {"obfuscated chunked", head("Transfer-Encoding: \vchunked\r\n"), 400},
      {"quoted chunked", head("Transfer-Encoding: \"chunked\"\r\n"), 501},
      {"empty coding", head("Transfer-Encoding:\r\n"), 400},
      {"chunked on 1.0", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
      {"two lengths", head("Content-Length: 4\r\nContent-Length: 5\r\n") + "body!", 400},
      {"the same length twice", head("Content-Length: 4\r\nContent-Length: 4\r\n") + "body", 400},
      {"a list of lengths", head("Content-Length: 4, 5\r\n") + "body!", 400},
      {"a list of one length", head("Content-Length: 4, 4\r\n") + "body", 400},
      {"negative length", head("Content-Length: -1\r\n"), 400},
      {"signed length", head("Content-Length: +4\r\n") + "body", 400},
      {"hexadecimal length", head("Content-Length: 0x4\r\n") + "body", 400},
      {"empty length", head("Content-Length:\r\n"), 400},
      {"length beyond 64 bits", head("Content-Length: 18446744073709551620\r\n"), 400},
      {"folded line", head("X-A: 1\r\n 2\r\n"), 400},
      {"folded line, nothing before", head("X-A:\r\n 2\r\n"), 400},
      {"folded line, nothing behind", head("X-A: 1\r\n \r\nX-B: 2\r\n"), 400},
      {"folded coding", head("Transfer-Encoding:\r\n chunked\r\n") + "0\r\n\r\n", 400},
      {"bare line feeds", "POST / HTTP/1.1\nHost: localhost\n\n", 400},
      {"bare line feed in a header", "POST / HTTP/1.1\r\n" + kHost + "X: a\nContent-Length: 4\r\n\r\n", 400},
      {"bare carriage return", head("X: a\rb\r\n"), 400},
      {"space before the colon", head("Content-Length : 4\r\n") + "body", 400},
      {"space before the name", "POST / HTTP/1.1\r\n " + kHost + "\r\n", 400},
      {"no name", head(": x\r\n"), 400},
      {"no colon", head("Content-Length\r\n"), 400},
      {"NUL in a value", head("X: a\0b\r\n"s), 400},
      {"NUL in a name", head("X\0: b\r\n"s), 400},
      {"NUL in the target", "GET /\0 HTTP/1.1\r\n"s + kHost + "\r\n", 400},
      {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"two hosts", "GET / HTTP/1.1\r\n" + kHost + "Host: localhost\r\n\r\n", 400},
      {"two spaces", "GET  / HTTP/1.1\r\n" + kHost + "\r\n", 400},
      {"no version", "GET /\r\n" + kHost + "\r\n", 400},
      {"version 2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
      {"version 1.2", "GET / HTTP/1.2\r\n" + kHost + "\r\n", 400},
      {"lower case version", "GET / http/1.1\r\n" + kHost + "\r\n", 400},
      {"TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s + std::string(64, '\x01'), 400},
      {"unknown expectation", head("Expect: a-miracle\r\n"), 417},
      {"chunk size of nothing", head("Transfer-Encoding: chunked\r\n") + "\r\nabc\r\n0\r\n\r\n", 400},
      {"chunk size with sign", head("Transfer-Encoding: chunked\r\n") + "+3\r\nabc\r\n0\r\n\r\n", 400},
      {"chunk size beyond 64 bits", head("Transfer-Encoding: chunked\r\n") + "fffffffffffffffff\r\n", 400},
      {"chunk longer than its size", head("Transfer-Encoding: chunked\r\n") + "3\r\nabcd\r\n0\r\n\r\n", 400},
      {"chunk ended by a line feed", head("Transfer-Encoding: chunked\r\n") + "3\nabc\n0\n\n\r\n\r\n", 400},
      {"length in the trailers", head("Transfer-Encoding: chunked\r\n") + "0\r\nContent-Length: 4\r\n\r\n",
       400},
  };
  for (const auto& [what, request, status] : bad) {
    CAPTURE(what);
    Client client(server.address);
    client.send(request + get("/smuggled"));
    const auto answer = client.answer();
    CHECK(answer.status == status);
    CHECK(answer.header("Content-Type") == "application/problem+json");
    CHECK(answer.header("Connection") == "close");
    CHECK(answer.header("X-Request-Id").size() == 16);
    CHECK(client.read_all() == "");
  }
  CHECK(server.stats().requests == 0);
  CHECK(server.stats().bad_requests == std::size(bad));
}

TEST_CASE("nothing of a refused request's pipeline is served, what came before is") {
  Fixture server(echo);
  Client client(server.address);
  client.send(get("/good") + "bad\r\n\r\n" + get("/after"));
  CHECK(client.answer().body == "GET\n/good\n\n");
  CHECK(client.answer().status == 400);
  CHECK(client.read_all() == "");
}

TEST_CASE("a header too large is 431") {
  Fixture server(echo);
  for (const auto& request :
       {get("/", "X: " + std::string(20'000, 'x') + "\r\n"), get("/" + std::string(20'000, 'x')),
        std::string(70'000, 'x'), "GET / HTTP/1.1\r\nX: " + std::string(40'000, 'x')}) {
    const auto answer = server.ask(request);
    CHECK(answer.status == 431);
  }
  std::string many;
  for (int i = 0; i < 127; ++i) many += "a:b\r\n";
  CHECK(server.ask(get("/", many)).status == 200);
  CHECK(server.ask(get("/", many + "a:b\r\n")).status == 431);
  std::string nearly = "X: " + std::string(16'000, 'x') + "\r\n";
  CHECK(server.ask(get("/", nearly)).status == 200);
}

TEST_CASE("a body too large is 413 before it is read, and the client can read that") {
  Fixture server(echo);
  Client client(server.address);
  client.send(post("/", std::string(2 << 20, 'x')));
  const auto answer = client.answer();
  CHECK(answer.status == 413);
  CHECK(answer.has("1048576"));
  CHECK(answer.header("Connection") == "close");
  CHECK(server.ask("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048577\r\n\r\n").status == 413);
  CHECK(server
            .ask("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\nExpect: "
                 "100-continue\r\n\r\n")
            .status == 413);
  CHECK(server.stats().requests == 0);
}

TEST_CASE("a chunked body too large is 413 while it is read") {
  Fixture server(echo);
  Client client(server.address);
  client.send("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 32; ++i) client.send("10000\r\n" + std::string(65536, 'x') + "\r\n");
  CHECK(client.answer().status == 413);
}

TEST_CASE("trailers and chunk extensions without end are refused") {
  Fixture server(echo);
  const std::string start = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  CHECK(server.ask(start + "0\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n").status == 431);
  CHECK(server.ask(start + "1;x=" + std::string(70'000, 'x')).status == 431);
  std::string extensions = start;
  for (int i = 0; i < 1000; ++i) extensions += "1;x=" + std::string(1000, 'x') + "\r\ny\r\n";
  CHECK(server.ask(extensions + "0\r\n\r\n").body.size() == 1000 + 8);  // tedious, but sound
}

TEST_CASE("a foreign Host is refused on every route") {
  auto options = Fixture::quick();
  options.allowed_hosts = {"weir.internal", "Other.Example:8411"};
  Fixture server(echo, options);
  const auto status = [&](const std::string& host) {
    return server.ask("GET /livez HTTP/1.1\r\nHost: " + host + "\r\n\r\n").status;
  };
  for (const char* good :
       {"localhost", "LOCALHOST:1", "localhost.", "a.localhost", "127.0.0.1", "127.255.0.1:99", "[::1]",
        "[::1]:8411", "[0:0:0:0:0:0:0:1]", "weir.internal", "Weir.Internal:8411", "other.example"}) {
    CAPTURE(good);
    CHECK(status(good) == 200);
  }
  for (const char* bad : {"example.org",
                          "127.0.0.1.example.org",
                          "127.0.0.1a",
                          "127.0.0",
                          "127.0.0.0.1",
                          "127.0.0.256",
                          "localhost.example.org",
                          "notlocalhost",
                          ".localhost",
                          "[::2]",
                          "[::1",
                          "::1",
                          "10.0.0.1",
                          "localhost:x",
                          "localhost:1:2",
                          "localhost/x",
                          "user@localhost",
                          "evil.org@localhost",
                          "",
                          "0.0.0.0"}) {
    CAPTURE(bad);
    CHECK(status(bad) == 403);
  }
  const auto answer = server.ask("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
  CHECK(answer.has("evil.example"));
  CHECK(answer.has("allowed_hosts"));
  CHECK(server.ask("GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n").status == 403);
}

TEST_CASE("a refusal without a body leaves the connection open, one with a body does not") {
  Fixture server(echo);
  Client client(server.address);
  client.send("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n" + get("/"));
  CHECK(client.answer().status == 403);
  CHECK(client.answer().status == 200);
  client.send("POST / HTTP/1.1\r\nHost: evil.example\r\nContent-Length: 3\r\n\r\nabc");
  CHECK(client.answer().status == 403);
  CHECK(client.at_end());
}

TEST_CASE("a foreign Origin is refused") {
  auto options = Fixture::quick();
  options.allowed_hosts = {"weir.internal"};
  Fixture server(echo, options);
  const auto status = [&](const std::string& origin, const std::string& host = "localhost") {
    return server.ask("POST / HTTP/1.1\r\nHost: " + host + "\r\nOrigin: " + origin + "\r\n\r\n").status;
  };
  for (const char* good : {"http://localhost", "https://localhost:3000", "http://127.0.0.1:8411",
                           "http://[::1]", "http://weir.internal"}) {
    CHECK(status(good) == 200);
  }
  CHECK(status("https://weir.internal:1", "WEIR.internal") == 200);
  for (const char* bad : {"null", "", "http://evil.example", "http://localhost.evil.example", "file://",
                          "chrome-extension://localhost", "localhost", "http://evil.example@localhost"}) {
    CAPTURE(bad);
    CHECK(status(bad) == 403);
  }
}

TEST_CASE("the token is asked for, but not by probes") {
  auto options = Fixture::quick();
  options.bearer_token = "s3cret";
  Fixture server(echo, options);
  const auto none = server.ask(get("/v1/quota"));
  CHECK(none.status == 401);
  CHECK(none.header("WWW-Authenticate") == "Bearer");
  CHECK(server.ask(get("/livez")).status == 200);
  CHECK(server.ask(get("/readyz?verbose")).status == 200);
  CHECK(server.ask(get("/livez/../v1/quota")).status == 401);
  CHECK(server.ask(get("/v1/quota", "Authorization: Bearer s3cret\r\n")).status == 200);
  CHECK(server.ask(get("/v1/quota", "authorization: bearer  s3cret\r\n")).status == 200);
  for (const char* wrong :
       {"Bearer", "Bearer ", "Bearer s3cre", "Bearer s3cret1", "Bearer S3CRET", "Basic s3cret", "s3cret"}) {
    CHECK(server.ask(get("/", std::string("Authorization: ") + wrong + "\r\n")).status == 401);
  }
  CHECK(server.ask("GET /livez HTTP/1.1\r\nHost: evil.example\r\n\r\n").status == 403);
}

TEST_CASE("no token is asked for public paths, and for these only") {
  auto options = Fixture::quick();
  options.bearer_token = "s3cret";
  options.public_paths = {"/", "/page/a.js"};
  Fixture server(echo, options);
  CHECK(server.ask(get("/")).status == 200);
  CHECK(server.ask(get("/page/a.js?v=1")).status == 200);
  for (const char* path :
       {"//", "/page/", "/page/a.jsx", "/page/b.js", "/v1/quota", "/page/a.js/../../v1/quota"}) {
    CAPTURE(path);
    CHECK(server.ask(get(path)).status == 401);
  }
  CHECK(server.ask("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n").status == 403);
}

TEST_CASE("a connection too many is told so if all others are busy") {
  auto options = Fixture::quick();
  options.max_connections = 2;
  Fixture server(echo, options);
  Client one(server.address), two(server.address);
  one.send("GET / HT");
  two.send("GET / HT");
  REQUIRE(server.eventually([&] { return server.server->stats().connections == 2; }));
  {
    Client three(server.address);
    three.send(get("/"));
    const auto answer = three.answer();
    CHECK(answer.status == 503);
    CHECK(answer.header("Retry-After") == "1");
    CHECK(three.at_end());
  }
  CHECK(server.stats().refused == 1);
  CHECK(server.stats().accepted == 2);
  one.close();
  CHECK(server.eventually([&] { return server.server->stats().connections < 2; }));
  CHECK(server.ask(get("/")).status == 200);
}

TEST_CASE("a connection too many takes the place of the one that has been idle longest") {
  auto options = Fixture::quick();
  options.idle_timeout = std::chrono::hours(1);
  options.idle_grace = std::chrono::milliseconds(10);
  options.max_connections = 3;
  Fixture server(echo, options);
  Client busy(server.address), idle(server.address), used(server.address);
  idle.send(get("/"));
  CHECK(idle.answer().status == 200);
  busy.send("GET / HT");
  std::this_thread::sleep_for(std::chrono::milliseconds(20));  // the server's clock has steps of 4 ms
  used.send(get("/"));
  CHECK(used.answer().status == 200);
  std::this_thread::sleep_for(options.idle_grace * 3);
  CHECK(server.ask(get("/")).status == 200);
  CHECK(idle.at_end());
  busy.send("TP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(busy.answer().status == 200);
  used.send(get("/"));
  CHECK(used.answer().status == 200);
  CHECK(server.stats().displaced == 1);
  CHECK(server.stats().refused == 0);
}

}  // namespace weir::http::test
