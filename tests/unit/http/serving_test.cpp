// What a well-behaved client sees.
#include <doctest/doctest.h>

#include "fixture.hpp"

namespace weir::http::test {

TEST_CASE("a connection is kept for many requests") {
  Fixture server(echo);
  Client client(server.address);
  for (int i = 0; i < 20; ++i) {
    client.send(post("/p", "body " + std::to_string(i)));
    const auto answer = client.answer();
    CHECK(answer.status == 200);
    CHECK(answer.body == "POST\n/p\n\nbody " + std::to_string(i));
  }
  CHECK(server.stats().accepted == 1);
  CHECK(server.stats().requests == 20);
}

TEST_CASE("an answer has length, type, date and the request's id") {
  Fixture server(echo);
  Client client(server.address);
  client.send(get("/a?b=c", "X-Request-Id: caller-1.2:3\r\n"));
  const auto first = client.answer();
  CHECK(first.head.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(first.header("Content-Length") == std::to_string(first.body.size()));
  CHECK(first.header("Content-Type") == "text/plain");
  CHECK(first.header("Date").size() == 29);
  CHECK(first.header("Date").ends_with(" GMT"));
  CHECK(first.header("Connection").empty());
  CHECK(first.header("X-Request-Id") == "caller-1.2:3");
  CHECK(first.body == "GET\n/a\nb=c\n");
  std::string before;
  for (const char* bad : {"", "X-Request-Id: \r\n", "X-Request-Id: a b\r\n", "X-Request-Id: <script>\r\n"}) {
    client.send(get("/", bad));
    const auto id = client.answer().header("X-Request-Id");
    CHECK(id.size() == 16);
    CHECK(id != before);
    before = id;
  }
  client.send(get("/", "X-Request-Id: " + std::string(129, 'a') + "\r\n"));
  CHECK(client.answer().header("X-Request-Id").size() == 16);
}

TEST_CASE("a hundred requests in one write are answered in order") {
  Fixture server(echo);
  Client client(server.address);
  std::string all;
  for (int i = 0; i < 100; ++i)
    all += i % 2 == 0 ? get("/" + std::to_string(i)) : post("/" + std::to_string(i), "x");
  client.send(all);
  for (int i = 0; i < 100; ++i) {
    const auto answer = client.answer();
    CHECK(answer.body.find("/" + std::to_string(i) + "\n") != std::string::npos);
  }
}

TEST_CASE("a request may come byte by byte") {
  Fixture server(echo);
  Client client(server.address);
  for (const char c : "\r\n" + post("/slow?q", "four", "X-More: of it\r\n"))
    client.send(std::string_view(&c, 1));
  CHECK(client.answer().body == "POST\n/slow\nq\nfour");
}

TEST_CASE("a request may be split anywhere") {
  Fixture server(echo);
  const std::string chunked =
      "POST /c HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;x=y\r\nabc\r\n0A\r\n0123456789\r\n0\r\nTrailer: t\r\n\r\n";
  for (const auto& request : {post("/p", "hello"), chunked}) {
    Client client(server.address);
    for (std::size_t at = 1; at < request.size(); ++at) {
      client.send(request.substr(0, at));
      if (at % 7 == 0) server.on_loop([] {});  // let it see the first part alone
      client.send(request.substr(at));
      const auto answer = client.answer();
      CHECK(answer.status == 200);
      CHECK(answer.body.ends_with(request == chunked ? "abc0123456789" : "hello"));
    }
  }
}

TEST_CASE("a chunked body arrives in one piece, and the next request after it") {
  Fixture server(echo);
  Client client(server.address);
  std::string body, request = "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (int i = 0; i < 2000; ++i) {
    const std::string piece(static_cast<std::size_t>(i % 50 + 1), static_cast<char>('a' + i % 26));
    char head[16];
    std::snprintf(head, sizeof head, "%zx\r\n", piece.size());
    request += head + piece + "\r\n";
    body += piece;
  }
  client.send(request + "0\r\n\r\n" + get("/next"));
  CHECK(client.answer().body == "POST\n/\n\n" + body);
  CHECK(client.answer().body == "GET\n/next\n\n");
}

TEST_CASE("a body is followed by 64 readable bytes") {
  Fixture server([](Exchange& exchange) {
    unsigned sum = 0;  // AddressSanitizer looks on
    for (std::size_t i = 0; i < 64; ++i)
      sum += static_cast<unsigned char>(exchange.request().body.data()[exchange.request().body.size() + i]);
    exchange.reply({.status = sum == 1 ? 201 : 200, .body = exchange.request().body});
  });
  Client client(server.address);
  for (std::size_t size = 1; size < 5000; size += 37) {
    client.send(post("/", std::string(size, 'x')));
    CHECK(client.answer().body.size() == size);
  }
}

TEST_CASE("a body of a megabyte fits") {
  Fixture server(echo);
  Client client(server.address);
  const std::string body(1 << 20, 'm');
  client.send(post("/big", body));
  CHECK(client.answer().body.size() == body.size() + 11);
  client.send(get("/small"));
  CHECK(client.answer().status == 200);
}

TEST_CASE("Expect: 100-continue is answered before the body, once") {
  Fixture server(echo);
  Client client(server.address);
  client.send("POST /e HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-Continue\r\n\r\n");
  CHECK(client.answer().status == 100);
  client.send("bo");
  server.on_loop([] {});
  client.send("dy");
  CHECK(client.answer().body == "POST\n/e\n\nbody");
  client.send("POST /e HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\nhere");
  CHECK(client.answer().body == "POST\n/e\n\nhere");
}

TEST_CASE("HEAD gets the head of the answer alone") {
  Fixture server(echo);
  Client client(server.address);
  client.send("HEAD /h HTTP/1.1\r\nHost: localhost\r\n\r\n" + get("/after"));
  const auto head = client.answer(true);
  CHECK(head.header("Content-Length") == "9");
  CHECK(client.answer().body == "GET\n/after\n\n");
}

TEST_CASE("204 and 304 have neither body nor length") {
  Fixture server([](Exchange& exchange) {
    exchange.reply(
        {.status = exchange.request().path == "/204" ? 204 : 304, .content_type = "", .body = "ignored"});
  });
  Client client(server.address);
  client.send(get("/204") + get("/304"));
  for (int i = 0; i < 2; ++i) {
    const auto answer = client.answer();
    CHECK(answer.header("Content-Length").empty());
    CHECK(answer.header("Content-Type").empty());
  }
}

TEST_CASE("HTTP/1.0 is served and closed, or kept if it asks") {
  Fixture server(echo);
  Client once(server.address);
  once.send("GET /old HTTP/1.0\r\n\r\n");
  const auto answer = once.answer();
  CHECK(answer.body == "GET\n/old\n\n");
  CHECK(answer.header("Connection") == "close");
  CHECK(once.at_end());

  Client kept(server.address);
  for (int i = 0; i < 3; ++i) {
    kept.send("GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    CHECK(kept.answer().header("Connection") == "keep-alive");
  }
}

TEST_CASE("Connection: close is honoured and echoed") {
  Fixture server(echo);
  Client client(server.address);
  client.send(get("/", "Connection: foo, Close\r\n"));
  CHECK(client.answer().header("Connection") == "close");
  CHECK(client.at_end());
}

TEST_CASE("a client that closes its half still gets its answers") {
  Fixture server(echo);
  Client client(server.address);
  client.send(get("/1") + get("/2"));
  client.half_close();
  CHECK(client.answer().body == "GET\n/1\n\n");
  CHECK(client.answer().body == "GET\n/2\n\n");
  CHECK(client.at_end());
}

TEST_CASE("targets may be absolute, a star or an authority") {
  Fixture server(echo);
  Client client(server.address);
  client.send("GET http://localhost:1/abs?x HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(client.answer().body == "GET\n/abs\nx\n");
  client.send("GET HTTP://localhost?x HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(client.answer().body == "GET\n/\nx\n");
  client.send("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(client.answer().body == "OPTIONS\n*\n\n");
  client.send("CONNECT example.org:443 HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(client.answer().body == "other\nexample.org:443\n\n");
  client.send("BREW /pot HTTP/1.1\r\nHost: localhost\r\n\r\n");
  CHECK(client.answer().body == "other\n/pot\n\n");
}

TEST_CASE("headers are found in any case, the first of a name") {
  Fixture server([](Exchange& exchange) {
    exchange.reply({.body = exchange.request().header("x-weir-wait"), .headers = "X-A: 1\r\nX-B: 2\r\n"});
  });
  const auto answer = server.ask(get("/", "X-WEIR-Wait:  5 \t\r\nX-Weir-Wait: 6\r\n"));
  CHECK(answer.body == "5");
  CHECK(answer.header("X-A") == "1");
  CHECK(answer.header("X-B") == "2");
}

TEST_CASE("ten thousand requests on one connection leave the memory as it was") {
  Fixture server(echo);
  Client client(server.address);
  const auto resident = [] {
    long pages = 0, rss = 0;
    if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
      if (std::fscanf(file, "%ld %ld", &pages, &rss) != 2) rss = 0;
      std::fclose(file);
    }
    return rss * 4096;
  };
  long before = 0;
  for (int i = 0; i < 10'000; ++i) {
    if (i == 2'000) before = resident();
    client.send(post("/p", "{\"n\":1}"));
    REQUIRE(client.answer().status == 200);
  }
  CHECK(resident() - before < 8 << 20);  // sanitizers keep freed memory for a while
}

}  // namespace weir::http::test
