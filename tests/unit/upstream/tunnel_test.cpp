// The way through an HTTP proxy, against one that lets pass, refuses, or is none. What passes through it
// under TLS is tests/integration/test_proxy_networks.py.
#include <doctest/doctest.h>

#include "fixture.hpp"

namespace weir::upstream::test {
namespace {

using std::chrono::milliseconds;

Request by_way_of(const StandIn& proxy, const std::string& authorization = "") {
  Request request;
  request.origin = {.tls = false, .host = "up.example", .port = "8080"};  // a name that nobody can look up
  request.via = Via{"127.0.0.1", proxy.port(), authorization};
  request.head = "GET /x HTTP/1.1\r\nHost: up.example:8080\r\n\r\n";
  request.idempotent = true;
  return request;
}

}  // namespace

TEST_CASE("a proxy is asked for a tunnel, and then the origin is spoken to as ever") {
  std::string asked;
  StandIn proxy([&](Peer& peer, int) {
    asked = peer.request();
    peer.write("HTTP/1.1 200 Connection established\r\nProxy-Agent: x\r\n\r\n");
    while (!peer.request().empty()) peer.answer("from the origin");
  });
  Fixture fixture;
  const Request request = by_way_of(proxy, basic_authorization("user:pass"));
  CHECK(fixture.run(request)->body == "from the origin");
  CHECK(asked ==
        "CONNECT up.example:8080 HTTP/1.1\r\nHost: up.example:8080\r\n"
        "Proxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n");
  CHECK(fixture.run(request)->log == "reused sent head:200 end");
  CHECK(proxy.connections() == 1);
}

TEST_CASE("a kept connection serves its own way only") {
  StandIn proxy([&](Peer& peer, int) {
    if (peer.request().starts_with("CONNECT")) {
      peer.write("HTTP/1.1 200 OK\r\n\r\n");
      peer.request();
    }
    peer.answer("here");
    peer.request();
  });
  Fixture fixture;
  Request direct = by_way_of(proxy);
  direct.origin = {.tls = false, .host = "127.0.0.1", .port = proxy.port()};
  Request through = direct;
  direct.via = std::nullopt;
  Request as_another = through;
  as_another.via->authorization = basic_authorization("a:b");
  for (const Request& request : {direct, through, as_another})
    CHECK(fixture.run(request)->log == "connected sent head:200 end");
  CHECK(fixture.client->stats().idle == 3);
}

TEST_CASE("an IPv6 origin is asked for in brackets") {
  std::string asked;
  StandIn proxy([&](Peer& peer, int) {
    asked = peer.request();
    peer.write("HTTP/1.1 200 OK\r\n\r\n");
    peer.request();
    peer.answer("six");
  });
  Fixture fixture;
  Request request = by_way_of(proxy);
  request.origin = {.tls = false, .host = "fd00::7", .port = "80"};
  CHECK(fixture.run(std::move(request))->body == "six");
  CHECK(asked == "CONNECT [fd00::7]:80 HTTP/1.1\r\nHost: [fd00::7]:80\r\n\r\n");
}

TEST_CASE("a proxy's answer may come in pieces, and after interim ones") {
  StandIn proxy([](Peer& peer, int) {
    peer.request();
    for (const char c : std::string("HTTP/1.1 103 Early\r\nX: y\r\n\r\nHTTP/1.0 200 OK\r\n\r\n")) {
      peer.write({&c, 1});
      std::this_thread::sleep_for(milliseconds(1));
    }
    peer.request();
    peer.answer("whole");
  });
  Fixture fixture;
  CHECK(fixture.run(by_way_of(proxy))->body == "whole");
}

TEST_CASE("a proxy that does not let pass: it says why, and nothing was sent") {
  struct Case {
    std::string answer;
    std::string authorization;
    std::string words;
  };
  const std::string credentials = basic_authorization("user:pass");
  const Case cases[] = {
      {"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 5\r\n\r\nlogin", "", "via_auth_file"},
      {"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", credentials, "does not take the credentials"},
      {"HTTP/1.1 403 Forbidden\r\n\r\n", "", "does not allow connections to up.example:8080"},
      {"HTTP/1.1 502 Bad Gateway\r\n\r\n", "", "cannot reach up.example:8080 (502)"},
      {"HTTP/1.1 400 Bad Request\r\n\r\n", "", "answers 400"},
      {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "", "answers 101"},
      {"SSH-2.0-OpenSSH_9.2\r\n", "", "no proper HTTP"},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n", "", "larger than 64 KiB"},
      {"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "", "says more"},
      {"HTTP/1.1 200 O", "", "closed the connection"},
      {"", "", "closed the connection"},
  };
  for (const auto& [answer, authorization, words] : cases) {
    CAPTURE(words);
    StandIn proxy([&, bytes = answer](Peer& peer, int) {
      peer.request();
      peer.write(bytes);
    });
    Fixture fixture;
    const auto notes = fixture.run(by_way_of(proxy, authorization));
    CHECK(notes->log == "failed");
    CHECK(notes->failure.fault == Fault::via);
    CHECK(!notes->failure.request_sent);
    CHECK(notes->failure.text.find(words) != std::string::npos);
    CHECK(notes->failure.text.find("127.0.0.1:" + proxy.port()) != std::string::npos);
    CHECK(notes->failure.text.find("dXNlcjpwYXNz") == std::string::npos);
    CHECK(fixture.client->stats().connections == 0);
  }
}

TEST_CASE("a proxy that is not there, or says nothing") {
  Fixture fixture({.connect_timeout = milliseconds(2500)});  // in which it is reached, also on a busy machine
  StandIn silent([](Peer& peer, int) { peer.read(100'000); });
  const auto notes = fixture.run(by_way_of(silent));
  CHECK(notes->failure.fault == Fault::connect_timeout);
  CHECK(notes->failure.text.find("opening a tunnel to up.example:8080") != std::string::npos);
  Request request = by_way_of(silent);
  request.via->host = "no-such-host.invalid";
  CHECK(fixture.run(request)->failure.text.find("no-such-host.invalid") != std::string::npos);
  const Closed nobody;
  request.via = Via{"127.0.0.1", nobody.port(), ""};
  const auto gone = fixture.run(request);
  CHECK(gone->failure.fault == Fault::connect);
  CHECK(gone->failure.text.find("the HTTP proxy 127.0.0.1:" + nobody.port()) != std::string::npos);
}

TEST_CASE("a call that is cancelled while its tunnel is opened says nothing more") {
  std::atomic<bool> asked = false;
  StandIn proxy([&](Peer& peer, int) {
    peer.request();
    asked = true;
    peer.read(100'000);
  });
  Fixture fixture;
  const auto notes = fixture.start(by_way_of(proxy));
  REQUIRE(fixture.until([&] { return asked.load(); }));
  notes->call->cancel();
  fixture.loop.restart();
  fixture.loop.run_for(milliseconds(20));
  CHECK(notes->log.empty());
}

}  // namespace weir::upstream::test
