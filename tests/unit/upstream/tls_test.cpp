// Who is believed to be the upstream: certificates and names, against a real TLS server.
#include <doctest/doctest.h>

#include "certificates.hpp"
#include "fixture.hpp"

namespace weir::upstream::test {
namespace {

Request over_tls(const StandIn& server, const TlsContext& tls, const std::string& host) {
  Request request = Fixture::get(server);
  request.origin = {.tls = true, .host = host, .port = server.port()};
  request.tls = &tls;
  return request;
}

void greet(Peer& peer, int) {
  while (!peer.request().empty()) peer.answer("hello");
}

}  // namespace

TEST_CASE("a server with a certificate for its name is answered to; the connection is used again") {
  const auto& files = certificates();
  const TlsContext tls(files.ca);
  StandIn server(&greet, files.cert, files.key);
  Fixture fixture;
  for (const char* host : {"localhost", "127.0.0.1"}) {
    const auto first = fixture.run(over_tls(server, tls, host));
    CHECK(first->log == "connected sent head:200 end");
    CHECK(first->body == "hello");
    CHECK(fixture.run(over_tls(server, tls, host))->log == "reused sent head:200 end");
  }
  CHECK(server.connections() == 2);
}

TEST_CASE("a certificate for another name is refused, before anything is sent") {
  const auto& files = certificates();
  const TlsContext tls(files.ca);
  std::string got;
  {
    StandIn server([&](Peer& peer, int) { got = peer.read(1); }, files.strange_cert, files.strange_key);
    Fixture fixture;
    for (const char* host : {"localhost", "127.0.0.1"}) {
      const auto notes = fixture.run(over_tls(server, tls, host));
      CHECK(notes->failure.fault == Fault::certificate);
      CHECK(!notes->failure.request_sent);
      CHECK(notes->failure.text.find("localhost") + notes->failure.text.find("127.0.0.1") != 0);
    }
  }
  CHECK(got.empty());
}

TEST_CASE("a certificate of an unknown authority is refused") {
  const auto& files = certificates();
  const TlsContext other(files.other_ca), system("");
  StandIn server(&greet, files.cert, files.key);
  Fixture fixture;
  CHECK(fixture.run(over_tls(server, other, "localhost"))->failure.fault == Fault::certificate);
  CHECK(fixture.run(over_tls(server, system, "localhost"))->failure.fault == Fault::certificate);
}

TEST_CASE("a server that speaks no TLS, or hangs up in the handshake") {
  const auto& files = certificates();
  const TlsContext tls(files.ca);
  StandIn plain([](Peer& peer, int number) {
    if (number == 0) peer.write("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  Fixture fixture;
  for (int i = 0; i < 2; ++i) {
    const auto notes = fixture.run(over_tls(plain, tls, "localhost"));
    CHECK(notes->failure.fault == Fault::tls);
    CHECK(!notes->failure.text.empty());
  }
}

TEST_CASE("large bodies pass both ways under TLS") {
  const auto& files = certificates();
  const TlsContext tls(files.ca);
  StandIn server(
      [](Peer& peer, int) {
        const std::string request = peer.request();
        peer.answer(request.substr(request.find("\r\n\r\n") + 4));
      },
      files.cert, files.key);
  Fixture fixture;
  std::string body;
  for (int i = 0; body.size() < 3'000'000; ++i) body += std::to_string(i) + ",";
  Request request = Fixture::post(server, body);
  request.origin = {.tls = true, .host = "localhost", .port = server.port()};
  request.tls = &tls;
  CHECK(fixture.run(std::move(request))->body == body);
}

TEST_CASE("a CA file that cannot be read is told of") {
  CHECK_THROWS_WITH_AS(TlsContext("/nowhere/ca.pem"), doctest::Contains("/nowhere/ca.pem"),
                       std::runtime_error);
}

}  // namespace weir::upstream::test
