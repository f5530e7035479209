// Routes that are called at the head: bodies in pieces, answers that are pushed.
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "fixture.hpp"

namespace weir::http::test {
namespace {

using std::chrono::milliseconds;
using namespace std::string_literals;

// The streamed route's side; everything on the loop thread.
struct Route {
  std::shared_ptr<Exchange> exchange;
  std::string body;
  std::size_t pieces = 0, largest = 0;
  bool last = false, pause = false;
  int calls = 0, abandoned = 0;

  Server::Streamed streamed(bool receive = true) {
    return {"/proxy/", [this, receive](Exchange& given) {
              ++calls;
              exchange = given.shared_from_this();
              given.on_abandoned([this] { ++abandoned; });
              if (receive) take();
            }};
  }
  void take() {
    exchange->receive_body([this](std::string_view bytes, bool end) {
      ++pieces;
      largest = std::max(largest, bytes.size());
      body += bytes;
      last = end;
      return !pause;
    });
  }
  void finish(std::string_view text = "ok") {
    const auto held = std::move(exchange);
    held->reply({.content_type = "text/plain", .body = text});
  }
};

std::unique_ptr<Fixture> serve(Route& route, bool receive = true, ServerOptions options = Fixture::quick()) {
  return std::make_unique<Fixture>(&echo, options, route.streamed(receive));
}

}  // namespace

TEST_CASE("a streamed route is called at the head and takes the body in pieces") {
  Route route;
  const auto server = serve(route, false);
  Client client(server->address);
  client.send("PUT /proxy/a?b=c HTTP/1.1\r\nHost: localhost\r\nX-One: 1\r\nContent-Length: 10\r\n\r\n");
  REQUIRE(server->eventually([&] { return route.calls == 1; }));
  server->on_loop([&] {
    const Request& request = route.exchange->request();
    CHECK(request.method == Method::other);
    CHECK(request.method_name == "PUT");
    CHECK(request.target == "/proxy/a?b=c");
    CHECK(request.content_length == std::optional<std::uint64_t>(10));
    CHECK(request.header_count() == 3);
    CHECK(request.header_at(1) == std::pair(std::string_view("X-One"), std::string_view("1")));
    route.take();
  });
  client.send("01234");
  REQUIRE(server->eventually([&] { return route.body == "01234"; }));
  CHECK(!server->on_loop([&] { return route.last; }));
  client.send("56789" + get("/next"));
  REQUIRE(server->eventually([&] { return route.last; }));
  server->on_loop([&] {
    CHECK(route.body == "0123456789");
    CHECK(route.exchange->request().header("x-one") == "1");
    route.finish();
  });
  CHECK(client.answer().body == "ok");
  CHECK(client.answer().body == "GET\n/next\n\n");
}

TEST_CASE("a request without a body gives its sink the end at once") {
  Route route;
  const auto server = serve(route);
  Client client(server->address);
  client.send(get("/proxy/x"));
  REQUIRE(server->eventually([&] { return route.last; }));
  CHECK(server->on_loop([&] { return route.pieces; }) == 1);
  server->on_loop([&] { route.finish(); });
  CHECK(client.answer().status == 200);
}

TEST_CASE("a chunked body comes without its chunks") {
  Route route;
  const auto server = serve(route);
  Client client(server->address);
  client.send(
      "POST /proxy/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
      "chunked\r\n\r\n3;a=b\r\nabc\r\n4\r\nde");
  REQUIRE(server->eventually([&] { return route.body == "abcde"; }));
  client.send("fg\r\n0\r\nTrailer: x\r\n\r\n" + get("/next"));
  REQUIRE(server->eventually([&] { return route.last; }));
  server->on_loop([&] {
    CHECK(route.body == "abcdefg");
    route.finish();
  });
  CHECK(client.answer().body == "ok");
  CHECK(client.answer().body == "GET\n/next\n\n");
}

TEST_CASE("a body of any size passes, in pieces of at most 64 KiB, beyond max_body_bytes") {
  std::size_t total = 0, largest = 0;
  auto options = Fixture::quick();
  options.max_body_bytes = 1024;
  Fixture server(&echo, options, {"/proxy/", [&](Exchange& exchange) {
                                    exchange.receive_body([&, held = exchange.shared_from_this()](
                                                              std::string_view bytes, bool last) {
                                      total += bytes.size();
                                      largest = std::max(largest, bytes.size());
                                      if (last) held->reply({.body = std::to_string(total)});
                                      return true;
                                    });
                                  }});
  Client client(server.address);
  const std::string block(1 << 20, 'x');
  constexpr int kBlocks = 48;
  client.send("POST /proxy/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
              std::to_string(kBlocks * block.size()) + "\r\n\r\n");
  for (int i = 0; i < kBlocks; ++i) REQUIRE(client.send(block));
  CHECK(client.answer().body == std::to_string(kBlocks * block.size()));
  client.send("POST /proxy/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 8; ++i) REQUIRE(client.send("100000\r\n" + block + "\r\n"));
  client.send("0\r\n\r\n");
  CHECK(client.answer().body == std::to_string((kBlocks + 8) * block.size()));
  CHECK(server.on_loop([&] { return largest; }) <= 66 * 1024);
}

TEST_CASE("100 Continue is said when the route wants the body, not before") {
  Route route;
  const auto server = serve(route, false);
  Client client(server->address);
  client.send(
      "POST /proxy/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  REQUIRE(server->eventually([&] { return route.calls == 1; }));
  server->on_loop([&] { route.take(); });
  CHECK(client.answer().status == 100);
  client.send("hi");
  REQUIRE(server->eventually([&] { return route.last; }));
  server->on_loop([&] { route.finish(); });
  CHECK(client.answer().status == 200);

  client.send(
      "POST /proxy/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  REQUIRE(server->eventually([&] { return route.calls == 2; }));
  server->on_loop([&] { route.finish("unwanted"); });
  const auto answer = client.answer();
  CHECK(answer.body == "unwanted");
  CHECK(answer.header("Connection") == "close");  // the body may come all the same
}

TEST_CASE("a paused sink holds the client back until it is resumed") {
  Route route;
  route.pause = true;
  const auto server = serve(route);
  Client client(server->address);
  const std::string block(1 << 20, 'y');
  std::thread sender([&] {
    client.send("POST /proxy/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: " +
                std::to_string(24 * block.size()) + "\r\n\r\n");
    for (int i = 0; i < 24; ++i) client.send(block);
  });
  REQUIRE(server->eventually([&] { return route.pieces == 1; }));
  std::this_thread::sleep_for(milliseconds(20));
  CHECK(server->on_loop([&] { return route.pieces; }) == 1);
  server->on_loop([&] {
    route.pause = false;
    route.exchange->resume_body();
  });
  REQUIRE(server->eventually([&] { return route.last; }));
  sender.join();
  CHECK(server->on_loop([&] { return route.body.size(); }) == 24 * block.size());
  server->on_loop([&] { route.finish(); });
  CHECK(client.answer().status == 200);
}

TEST_CASE("a client that leaves in the middle of its body is told of") {
  Route route;
  const auto server = serve(route);
  Client client(server->address);
  client.send("POST /proxy/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc");
  REQUIRE(server->eventually([&] { return route.body == "abc"; }));
  client.close();
  REQUIRE(server->eventually([&] { return route.abandoned == 1; }));
  CHECK(!server->on_loop([&] { return route.last; }));
  server->on_loop([&] { route.finish(); });  // does nothing
}

TEST_CASE("a client that sends nothing more of its body is given up") {
  auto options = Fixture::quick();
  options.body_timeout = milliseconds(60);
  Route route;
  const auto server = serve(route, true, options);
  Client client(server->address);
  client.send("POST /proxy/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc");
  REQUIRE(server->eventually([&] { return route.abandoned == 1; }));
  CHECK(client.at_end());
}

TEST_CASE("a malformed chunk gives the request up and is answered 400") {
  Route route;
  const auto server = serve(route);
  Client client(server->address);
  client.send(
      "POST /proxy/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nzz\r\n");
  const auto answer = client.answer();
  CHECK(answer.status == 400);
  CHECK(answer.header("Connection") == "close");
  CHECK(server->on_loop([&] { return route.abandoned; }) == 1);
}

TEST_CASE("pushed pieces leave as they come, each at once") {
  Route route;
  const auto server = serve(route);
  Client client(server->address);
  client.send(get("/proxy/x") + get("/next"));
  REQUIRE(server->eventually([&] { return route.last; }));
  server->on_loop([&] {
    route.exchange->begin({.status = 218, .reason = "This Is Fine", .headers = "X-A: 1\r\n"});
    CHECK(route.exchange->flush());
  });
  CHECK(client.wait_for("\r\n\r\n"));
  for (const char* piece : {"one", "two", "three"}) {
    server->on_loop([&] {
      route.exchange->push(piece);
      route.exchange->flush();
    });
    CHECK(client.wait_for(piece));
  }
  server->on_loop([&] { std::move(route.exchange)->end(); });
  const auto answer = client.answer();
  CHECK(answer.head.starts_with("HTTP/1.1 218 This Is Fine\r\nX-A: 1\r\n"));
  CHECK(answer.header("Transfer-Encoding") == "chunked");
  CHECK(!answer.header("Date").empty());
  CHECK(!answer.header("X-Request-Id").empty());
  CHECK(answer.body == "onetwothree");
  CHECK(client.answer().body == "GET\n/next\n\n");
}

TEST_CASE("a pushed answer with a length is not chunked; HEAD, 204 and 304 have no body") {
  struct Case {
    const char* method;
    int status;
    const char* length;
    const char* body;
  };
  for (const auto& [method, status, length, body] :
       {Case{"GET", 200, "5", "hello"}, Case{"HEAD", 200, "5", ""}, Case{"GET", 204, "", ""},
        Case{"GET", 304, "5", ""}}) {
    CAPTURE(status);
    Route route;
    const auto server = serve(route);
    Client client(server->address);
    client.send(std::string(method) + " /proxy/x HTTP/1.1\r\nHost: localhost\r\n\r\n" + get("/next"));
    REQUIRE(server->eventually([&] { return route.last; }));
    server->on_loop([&, code = status] {
      const auto exchange = std::move(route.exchange);
      exchange->begin({.status = code,
                       .headers = "Date: today\r\nX-Request-Id: mine\r\n",
                       .content_length = 5,
                       .has_date = true,
                       .has_request_id = true});
      exchange->push("hello");
      exchange->end();
    });
    const auto answer = client.answer(std::string(method) == "HEAD");
    CHECK(answer.status == status);
    CHECK(answer.header("Content-Length") == length);
    CHECK(answer.header("Transfer-Encoding").empty());
    CHECK(answer.header("Date") == "today");
    CHECK(answer.header("X-Request-Id") == "mine");
    CHECK(answer.body == body);
    CHECK(client.answer().body == "GET\n/next\n\n");
  }
}

TEST_CASE("an HTTP/1.0 client gets a pushed body ended by close, and a reset if it breaks off") {
  for (const bool whole : {true, false}) {
    Route route;
    const auto server = serve(route);
    Client client(server->address);
    client.send("GET /proxy/x HTTP/1.0\r\n\r\n");
    REQUIRE(server->eventually([&] { return route.last; }));
    server->on_loop([&] {
      const auto exchange = std::move(route.exchange);
      exchange->begin({});
      exchange->push("hello");
      exchange->flush();
      whole ? exchange->end() : exchange->abort();
    });
    if (whole) {
      CHECK(client.read_all().ends_with("Connection: close\r\n\r\nhello"));
    } else {
      client.read_all();
      CHECK(server->stats().connections == 0);
    }
  }
}

TEST_CASE("a client that reads slowly holds the pushing route back") {
  Route route;
  auto options = Fixture::quick();
  options.send_buffer_bytes = 8192;
  const auto server = serve(route, true, options);
  Client client(server->address, 4096);
  client.send(get("/proxy/x"));
  REQUIRE(server->eventually([&] { return route.last; }));
  const std::string block(256 * 1024, 'z');
  bool drained = false;
  server->on_loop([&] {
    route.exchange->begin({});
    route.exchange->push(block);
    CHECK(!route.exchange->flush());
    route.exchange->on_drained([&] {
      drained = true;
      const auto exchange = std::move(route.exchange);
      exchange->push("end");
      exchange->end();
    });
  });
  CHECK(!server->on_loop([&] { return drained; }));
  CHECK(client.answer().body == block + "end");
  CHECK(server->on_loop([&] { return drained; }));
}

TEST_CASE("an answer that joins one which waits to leave lets it leave as it was") {
  Route route;
  auto options = Fixture::quick();
  options.send_buffer_bytes = 4096;
  const auto server = serve(route, true, options);
  Client client(server->address, 4096);
  client.send(get("/proxy/1") + get("/proxy/2") + get("/proxy/3"));
  const std::string first(30'000, '1'), second(1 << 20, '2');
  REQUIRE(server->eventually([&] { return route.calls == 1 && route.last; }));
  std::vector<std::string> others;
  server->on_loop([&] {
    // The next request is there already, so this answer is not sent before that is dispatched.
    std::exchange(route.exchange, nullptr)->reply({.content_type = "text/plain", .body = first});
    REQUIRE(route.calls == 2);
    // It is under way now, and does not fit.
    route.exchange->begin({.content_length = second.size()});
    route.exchange->push(second);
    for (int i = 0; i < 64; ++i) others.emplace_back(std::size_t{20'000} + i * 500, 'x');
    std::exchange(route.exchange, nullptr)->end();
  });
  CHECK((client.answer().body == first));  // not printed: it is long
  CHECK((client.answer().body == second));
  REQUIRE(server->eventually([&] { return route.calls == 3; }));
  server->on_loop([&] { route.finish(); });
  CHECK(client.answer().body == "ok");
}

TEST_CASE("an aborted answer lacks its end, and so does the connection") {
  Route route;
  const auto server = serve(route);
  Client client(server->address);
  client.send(get("/proxy/x"));
  REQUIRE(server->eventually([&] { return route.last; }));
  server->on_loop([&] {
    const auto exchange = std::move(route.exchange);
    exchange->begin({});
    exchange->push("half");
    exchange->abort();
  });
  CHECK(client.read_all().ends_with("4\r\nhalf\r\n"));
  CHECK(client.at_end());
}

TEST_CASE("after a 101 bytes pass both ways as they are, however long the silence") {
  auto options = Fixture::quick();
  options.body_timeout = options.idle_timeout = options.header_timeout = kSlow;
  Route route;
  const auto server = serve(route, false, options);
  Client client(server->address);
  client.send(get("/proxy/x", "Connection: Upgrade\r\nUpgrade: websocket\r\n") + "early ");
  REQUIRE(server->eventually([&] { return route.calls == 1; }));
  server->on_loop([&] {
    route.exchange->begin({.status = 101, .headers = "Upgrade: websocket\r\nX-A: 1\r\n"});
    route.take();
    route.exchange->push("GET / HTTP/1.1\r\n");
    CHECK(route.exchange->flush());
  });
  CHECK(client.wait_for("GET / HTTP/1.1\r\n"));
  std::this_thread::sleep_for(kSlow * 3 / 2);  // beyond every deadline
  client.send("late");
  REQUIRE(server->eventually([&] { return route.body == "early late"; }));
  CHECK(!server->on_loop([&] { return route.last; }));
  CHECK(server->on_loop([&] { return route.abandoned; }) == 0);
  server->on_loop([&] {
    const auto exchange = std::move(route.exchange);
    exchange->push("bye");
    exchange->end();
  });
  const std::string all = client.read_all();
  CHECK(all.starts_with("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nX-A: 1\r\n"));
  CHECK(all.find("\r\nConnection: Upgrade\r\n") != std::string::npos);
  CHECK(all.find("Connection: close") == std::string::npos);
  CHECK(all.ends_with("\r\n\r\nGET / HTTP/1.1\r\nbye"));
}

TEST_CASE("after a 101 a route that takes no more holds the client back, and is told when it leaves") {
  Route route;
  route.pause = true;
  const auto server = serve(route, false);
  Client client(server->address);
  client.send(get("/proxy/x", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
  REQUIRE(server->eventually([&] { return route.calls == 1; }));
  server->on_loop([&] {
    route.exchange->begin({.status = 101});
    route.take();
  });
  const std::string block(1 << 20, 'y');
  std::thread sender([&] {
    for (int i = 0; i < 24; ++i) client.send(block);
  });
  REQUIRE(server->eventually([&] { return route.pieces == 1; }));
  std::this_thread::sleep_for(milliseconds(20));
  CHECK(server->on_loop([&] { return route.pieces; }) == 1);
  server->on_loop([&] {
    route.pause = false;
    route.exchange->resume_body();
  });
  sender.join();
  REQUIRE(server->eventually([&] { return route.body.size() == 24 * block.size(); }));
  CHECK(server->on_loop([&] { return route.largest; }) <= 64 * 1024);
  client.close();
  CHECK(server->eventually([&] { return route.abandoned == 1; }));
}

TEST_CASE("after a 101 a client is heard while it does not read, and is given up when it never does") {
  auto options = Fixture::quick();
  options.send_buffer_bytes = 4096;
  options.write_timeout = kSlow;
  Route route;
  const auto server = serve(route, false, options);
  Client client(server->address, 4096);
  client.send(get("/proxy/x", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
  REQUIRE(server->eventually([&] { return route.calls == 1; }));
  server->on_loop([&] {
    route.exchange->begin({.status = 101});
    route.take();
    route.exchange->push(std::string(8 << 20, 'z'));
    CHECK(!route.exchange->flush());
  });
  client.send("one ");
  REQUIRE(server->eventually([&] { return route.body == "one "; }));
  client.send("two");
  REQUIRE(server->eventually([&] { return route.body == "one two"; }));
  CHECK(server->eventually([&] { return route.abandoned == 1; }));
  CHECK(server->stats().timeouts == 1);
}

TEST_CASE("a client that leaves a pushed answer is told of") {
  Route route;
  const auto server = serve(route);
  Client client(server->address);
  client.send(get("/proxy/x"));
  REQUIRE(server->eventually([&] { return route.last; }));
  server->on_loop([&] {
    route.exchange->begin({});
    route.exchange->push("half");
    route.exchange->flush();
  });
  CHECK(client.wait_for("half"));
  client.close();
  REQUIRE(server->eventually([&] { return route.abandoned == 1; }));
  CHECK(server->eventually([&] { return server->server->stats().connections == 0; }));
  server->on_loop([&] {
    const auto exchange = std::move(route.exchange);
    exchange->push("more");  // does nothing
    CHECK(!exchange->flush());
    exchange->end();
  });
}

TEST_CASE("an answer before the end of the body is the connection's last") {
  Route route;
  const auto server = serve(route);
  Client client(server->address);
  client.send("POST /proxy/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nabc");
  REQUIRE(server->eventually([&] { return route.body == "abc"; }));
  server->on_loop([&] {
    const auto exchange = std::move(route.exchange);
    exchange->begin({.status = 413, .content_length = 3});
    exchange->push("big");
    exchange->end();
  });
  const auto answer = client.answer();
  CHECK(answer.status == 413);
  CHECK(answer.header("Connection") == "close");
  CHECK(answer.body == "big");
  client.send(std::string(1000, 'x'));
  CHECK(client.at_end());
}

TEST_CASE("a streamed route looks at credentials itself; the others are guarded as before") {
  Route route;
  auto options = Fixture::quick();
  options.bearer_token = "secret";
  const auto server = serve(route, true, options);
  CHECK(server->ask(get("/x")).status == 401);
  Client client(server->address);
  client.send(get("/proxy/x"));
  REQUIRE(server->eventually([&] { return route.last; }));
  server->on_loop([&] { route.finish(); });
  CHECK(client.answer().status == 200);
  CHECK(server->ask("GET /proxy/x HTTP/1.1\r\nHost: evil.example\r\n\r\n").status == 403);
  CHECK(server->on_loop([&] { return route.calls; }) == 1);
}

TEST_CASE("the server's end, and a stop, while a body or an answer is under way") {
  for (const bool pushing : {false, true}) {
    Route route;
    auto server = serve(route);
    Client client(server->address);
    client.send("POST /proxy/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nabc");
    REQUIRE(server->eventually([&] { return route.body == "abc"; }));
    if (pushing) server->on_loop([&] { route.exchange->begin({}); });
    server->on_loop([&] { server->server->stop(milliseconds(30), [] {}); });
    REQUIRE(server->eventually([&] { return route.abandoned == 1; }));
    server.reset();
    route.exchange->push("late");
    route.exchange->end();
  }
}

}  // namespace weir::http::test
