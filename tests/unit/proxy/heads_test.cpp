#include "proxy/heads.hpp"

#include <doctest/doctest.h>

#include "head.hpp"

namespace weir::proxy::test {
namespace {

std::string pass(const std::string& lines) {
  const Head head("POST /proxy/x HTTP/1.1\r\nHost: localhost\r\n" + lines + "\r\n");
  return request_lines(head.request);
}

struct Answer {
  explicit Answer(const std::string& lines) {
    parser.start(false);
    const std::string text = "HTTP/1.1 200 OK\r\n" + lines + "\r\n";
    const auto room = buffer.prepare(text.size());
    std::copy(text.begin(), text.end(), room.begin());
    buffer.commit(text.size());
    parser.parse(buffer);
  }
  AnswerLines pass() {
    return answer_lines(parser.head(buffer),
                        [](std::string_view url) { return "<" + std::string(url) + ">"; });
  }
  http::InputBuffer buffer;
  upstream::ResponseParser parser;
};

bool gzip(const std::string& lines) {
  const Head head("GET / HTTP/1.1\r\nHost: localhost\r\n" + lines + "\r\n");
  return accepts_gzip(head.request);
}

}  // namespace

TEST_CASE(
    "credentials, framing, hop-by-hop and our own lines stay here; the rest passes in order, as it came") {
  CHECK(pass("A: 1\r\nx-GOOG-api-key: k\r\nauthorization: Bearer k\r\nX-Weir-Wait: 3\r\na: "
             "2\r\nContent-Length: 0\r\n"
             "Expect: 100-continue\r\nKeep-Alive: 5\r\nTE: trailers\r\nUpgrade: h2c\r\nProxy-Authorization: "
             "k\r\n"
             "X-Goog-Api-Client: gl-node\r\nAccept-Encoding: br\r\nOrigin: null\r\n") ==
        "A: 1\r\na: 2\r\nX-Goog-Api-Client: gl-node\r\nOrigin: null\r\n"
        "TE: trailers\r\nConnection: TE\r\n");
  CHECK(pass("TE: gzip\r\n").empty());
  CHECK(pass("Accept-Encoding: br\r\nB: \r\n") == "B: \r\n");
}

TEST_CASE("lines that Connection names are dropped, over several lines and in any case") {
  CHECK(pass("Connection: close, X-One\r\nConnection:  x-two \r\nX-ONE: 1\r\nX-Two: 2\r\nX-Three: 3\r\n") ==
        "X-Three: 3\r\n");
}

TEST_CASE("a line is taken out by its name, in any case") {
  std::string lines = "A: 1\r\nContent-ENCODING: gzip\r\nB: content-encoding: x\r\n";
  drop_line(lines, "content-encoding");
  CHECK(lines == "A: 1\r\nB: content-encoding: x\r\n");
  drop_line(lines, "b");
  drop_line(lines, "A");
  CHECK(lines.empty());
  drop_line(lines, "A");
}

TEST_CASE("a WebSocket is asked for by a GET with all that belongs to it") {
  const auto asks = [](const std::string& lines, const std::string& start = "GET /x HTTP/1.1") {
    return asks_for_websocket(Head(start + "\r\nHost: localhost\r\n" + lines + "\r\n").request);
  };
  const std::string key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  CHECK(asks("Connection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n" + key));
  CHECK(asks("Connection: close\r\nConnection: Upgrade\r\nUpgrade: h2c, websocket\r\n" + key));
  CHECK(!asks("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
  CHECK(!asks("Connection: Upgrade\r\nUpgrade: h2c\r\n" + key));
  CHECK(!asks("Connection: keep-alive\r\nUpgrade: websocket\r\n" + key));
  const std::string whole = "Connection: Upgrade\r\nUpgrade: websocket\r\n" + key;
  CHECK(!asks(whole, "POST /x HTTP/1.1"));
  CHECK(!asks(whole + "Content-Length: 1\r\n"));
  CHECK(!asks(whole + "Transfer-Encoding: chunked\r\n"));
}

TEST_CASE("a handshake passes without keys, and without the offer to pack messages") {
  CHECK(
      pass(
          "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: k\r\n"
          "Sec-WebSocket-Extensions: permessage-deflate\r\n"
          "Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.secret,openai-beta.v1\r\n") ==
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: k\r\n"
      "Sec-WebSocket-Protocol: realtime, openai-beta.v1\r\n");
  CHECK(pass("Sec-WebSocket-Protocol: openai-insecure-api-key.secret\r\n").empty());
}

TEST_CASE(
    "of trailers, framing, credentials, hop-by-hop lines and those that pretend to be ours are dropped") {
  CHECK(trailer_lines("X-Sum: 1\r\ncontent-length: 5\r\nTransfer-Encoding: chunked\r\nAuthorization: k\r\n"
                      "Connection: close\r\nX-Weir-Model: fake\r\ngrpc-status: 0\r\n") ==
        "X-Sum: 1\r\ngrpc-status: 0\r\n");
  CHECK(trailer_lines("").empty());
}

TEST_CASE("gzip is accepted if it is named, and not with weight 0") {
  CHECK(gzip("Accept-Encoding: gzip\r\n"));
  CHECK(gzip("Accept-Encoding: br, GZIP;q=0.5\r\n"));
  CHECK(gzip("Accept-Encoding: br\r\nAccept-Encoding: gzip\r\n"));
  CHECK(!gzip("Accept-Encoding: br\r\n"));
  CHECK(!gzip("Accept-Encoding: gzip;q=0\r\n"));
  CHECK(!gzip("Accept-Encoding: identity\r\n"));
  CHECK(!gzip(""));
}

TEST_CASE("an answer's lines pass but for framing, hop-by-hop lines and those that pretend to be ours") {
  Answer answer(
      "Date: today\r\nContent-Length: 0\r\nConnection: x-hop\r\nX-Hop: 1\r\nX-Weir-Model: fake\r\nAlt-Svc: "
      "h3\r\n"
      "Set-Cookie: a\r\nSet-Cookie: b\r\nX-Goog-Upload-URL: u\r\nLocation: l\r\n");
  const AnswerLines lines = answer.pass();
  CHECK(lines.text ==
        "Date: today\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nX-Goog-Upload-URL: <u>\r\nLocation: <l>\r\n");
  CHECK(lines.has_date);
  CHECK(!lines.has_request_id);
  Answer other("x-request-id: r\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n");
  CHECK(other.pass().text == "x-request-id: r\r\nTrailer: x\r\n");
  CHECK(other.pass().has_request_id);
}

}  // namespace weir::proxy::test
