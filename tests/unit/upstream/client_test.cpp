// Calls over plain HTTP against a server that behaves well, badly, or not at all.
#include <future>
#include <set>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "fixture.hpp"

namespace weir::upstream::test {
namespace {

using std::chrono::milliseconds;
using namespace std::string_literals;

// A timeout may be short where it must pass. Where it must not, it is longer than a busy machine stands
// still.
constexpr milliseconds kShort{80}, kSlow{2500};

// A server that says `bytes` after a request, and then ends the connection.
StandIn::Script says(std::string bytes) {
  return [bytes = std::move(bytes)](Peer& peer, int) {
    peer.request();
    peer.write(bytes);
  };
}

}  // namespace

TEST_CASE("requests and answers pass as they are") {
  std::string seen;
  StandIn server([&](Peer& peer, int) {
    seen = peer.request();
    peer.write("HTTP/1.1 201 Made it\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n\r\nhello");
    seen += peer.request();
    peer.write(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n");
  });
  Fixture fixture;
  const auto first = fixture.run(Fixture::post(server, "body"));
  CHECK(first->log == "connected sent head:201 end");
  CHECK(first->headers == "X-A=1\nx-a=2\nContent-Length=5\n");
  CHECK(first->body == "hello");
  const auto second = fixture.run(Fixture::get(server));
  CHECK(second->log == "reused sent head:200 end");
  CHECK(second->body == "abcde");
  CHECK(seen ==
        "POST /x HTTP/1.1\r\nHost: up\r\nContent-Length: 4\r\n\r\nbodyGET /x HTTP/1.1\r\nHost: up\r\n\r\n");
}

TEST_CASE("trailers are handed on whole, both ways") {
  std::string seen;
  StandIn server([&](Peer& peer, int) {
    peer.read_until("\r\n\r\n");
    seen = peer.read_until("\r\n\r\n");
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Sum: 1\r\nEmpty:");
    peer.write("\r\n\r\n");
    peer.read_until("\r\n\r\n");
    peer.answer("next");
  });
  Fixture fixture;
  Request request =
      Fixture::request(server, "POST /x HTTP/1.1\r\nHost: up\r\nTransfer-Encoding: chunked\r\n\r\n");
  request.streamed = request.chunked = true;
  const auto notes = fixture.start(std::move(request));
  notes->at_connected = [&] {
    notes->call->write("abc");
    notes->call->finish("T: 1\r\n");
  };
  REQUIRE(fixture.until([&] { return notes->over; }));
  CHECK(notes->trailers == "X-Sum: 1\r\nEmpty: \r\n");
  CHECK(seen == "3\r\nabc\r\n0\r\nT: 1\r\n\r\n");
  CHECK(fixture.run(Fixture::get(server))->log == "reused sent head:200 end");
}

TEST_CASE("a body is given back while the answer is looked at") {
  StandIn server([](Peer& peer, int) {
    while (!peer.request().empty()) peer.answer("again");
  });
  Fixture fixture;
  for (const std::size_t size : {5, 200'000}) {
    const std::string body(size, 'b');
    const auto notes = fixture.start(Fixture::post(server, body));
    std::string back;
    notes->at_head = [&] { back = notes->call->take_body(); };
    REQUIRE(fixture.until([&] { return notes->over; }));
    CHECK(back == body);
  }
}

TEST_CASE("answers without a body, interim ones, and one that is ended by close") {
  StandIn server([](Peer& peer, int) {
    peer.request();
    peer.write(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No "
        "Content\r\n\r\n");
    peer.request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n");  // to HEAD
    peer.request();
    peer.write("HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n");
    peer.request();
    peer.write("HTTP/1.1 200 OK\r\n\r\nuntil the end");
  });
  Fixture fixture;
  CHECK(fixture.run(Fixture::get(server))->log == "connected sent head:204 end");
  Request head = Fixture::get(server);
  head.to_head = true;
  CHECK(fixture.run(std::move(head))->log == "reused sent head:200 end");
  CHECK(fixture.run(Fixture::get(server))->log == "reused sent head:304 end");
  const auto last = fixture.run(Fixture::get(server));
  CHECK(last->body == "until the end");
  CHECK(last->log == "reused sent head:200 end");
  CHECK(fixture.client->stats().connections == 0);
}

TEST_CASE("events are handed on one by one, not gathered") {
  std::atomic<int> seen = 0;
  StandIn server([&](Peer& peer, int) {
    peer.request();
    peer.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 5; ++i) {
      peer.write("2\r\nab\r\n");
      while (seen <= i) std::this_thread::yield();  // goes on only when that one has come
    }
    peer.write("0\r\n\r\n");
  });
  Fixture fixture;
  const auto notes = fixture.start(Fixture::get(server));
  notes->at_body = [&] { ++seen; };
  REQUIRE(fixture.until([&] { return notes->over; }));
  CHECK(notes->pieces == 5);
  CHECK(notes->body == "ababababab");
}

TEST_CASE("a streamed body is held back while the server does not read, and goes on") {
  std::string got;
  std::atomic<bool> go = false;
  constexpr std::size_t kTotal = 32 << 20;
  StandIn server([&](Peer& peer, int) {
    peer.read_until("\r\n\r\n");
    while (!go) std::this_thread::yield();
    got = peer.read(kTotal);
    peer.answer("thanks");
  });
  Fixture fixture;
  Request request = Fixture::request(
      server, "POST /x HTTP/1.1\r\nHost: up\r\nContent-Length: " + std::to_string(kTotal) + "\r\n\r\n");
  request.streamed = true;
  const std::string block(64 * 1024, 'b');
  std::size_t given = 0;
  const auto notes = fixture.start(std::move(request));
  const auto pump = [&] {
    while (given < kTotal) {
      given += block.size();
      if (!notes->call->write(block)) return;
    }
    notes->call->finish();
  };
  REQUIRE(fixture.until([&] { return notes->log == "connected "; }));
  notes->at_room = pump;
  pump();
  fixture.loop.restart();
  fixture.loop.run_for(milliseconds(50));
  CHECK(given < kTotal);
  go = true;
  REQUIRE(fixture.until([&] { return notes->over; }));
  CHECK(notes->log == "connected sent head:200 end");
  CHECK(got.size() == kTotal);
}

TEST_CASE("a streamed body of unknown length is sent in chunks") {
  std::string got;
  StandIn server([&](Peer& peer, int) {
    got = peer.read_until("0\r\n\r\n");
    peer.answer("");
  });
  Fixture fixture;
  Request request =
      Fixture::request(server, "POST /x HTTP/1.1\r\nHost: up\r\nTransfer-Encoding: chunked\r\n\r\n");
  request.streamed = request.chunked = true;
  const auto notes = fixture.start(std::move(request));
  REQUIRE(fixture.until([&] { return notes->log == "connected "; }));
  notes->call->write("hello");
  notes->call->write(std::string(20, 'x'));
  notes->call->finish();
  REQUIRE(fixture.until([&] { return notes->over; }));
  CHECK(got.ends_with("\r\n\r\n5\r\nhello\r\n14\r\n" + std::string(20, 'x') + "\r\n0\r\n\r\n"));
}

TEST_CASE("a paused answer stays where it is") {
  constexpr std::size_t kTotal = 16 << 20;
  StandIn server([&](Peer& peer, int) {
    peer.request();
    peer.answer(std::string(kTotal, 'p'));
  });
  Fixture fixture;
  const auto notes = fixture.start(Fixture::get(server));
  notes->at_body = [&] { notes->call->pause(); };
  REQUIRE(fixture.until([&] { return notes->pieces == 1; }));
  fixture.loop.restart();
  fixture.loop.run_for(milliseconds(20));
  CHECK(notes->pieces == 1);
  CHECK(notes->body.size() <= 64 * 1024);
  notes->at_body = nullptr;
  notes->call->resume();
  REQUIRE(fixture.until([&] { return notes->over; }));
  CHECK(notes->body.size() == kTotal);
}

TEST_CASE("after a 101 bytes pass both ways as they are, however long the silence") {
  std::promise<std::string> got;  // by the server's thread
  StandIn server([&](Peer& peer, int) {
    peer.request();
    peer.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\nhello ");
    const std::string ping = peer.read_until("ping");
    peer.write("HTTP/1.1 200 OK\r\n\r\n");
    got.set_value(ping + peer.read_until("bye"));
  });
  Fixture fixture({.first_byte_timeout = kSlow, .idle_timeout = kShort, .keep_alive = kShort});
  Request request = Fixture::get(server);
  request.upgrade = true;
  const auto notes = fixture.start(std::move(request));
  REQUIRE(fixture.until([&] { return notes->body == "hello "; }));
  CHECK(notes->log == "connected sent head:101 ");
  CHECK(notes->headers == "Upgrade=websocket\n");
  fixture.loop.restart();
  fixture.loop.run_for(kSlow + 2 * kShort);  // beyond every deadline
  CHECK(notes->call->write("ping"));
  REQUIRE(fixture.until([&] { return notes->body == "hello HTTP/1.1 200 OK\r\n\r\n"; }));
  CHECK(notes->call->write("bye"));
  REQUIRE(fixture.until([&] { return notes->over; }));
  CHECK(notes->log == "connected sent head:101 end");
  CHECK(got.get_future().get() == "pingbye");
  CHECK(fixture.client->stats().connections == 0);
}

TEST_CASE("an upgrade that is refused is an answer like any other; one that nobody asked for is a failure") {
  StandIn server([](Peer& peer, int number) {
    peer.request();
    if (number == 0) peer.answer("no", "X: 1\r\n");
    peer.request();
    peer.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n");
  });
  Fixture fixture;
  Request request = Fixture::get(server);
  request.upgrade = true;
  const auto refused = fixture.run(std::move(request));
  CHECK(refused->log == "connected sent head:200 end");
  CHECK(refused->body == "no");
  const auto unasked = fixture.run(Fixture::get(server));
  CHECK(unasked->failure.fault == Fault::malformed);
}

TEST_CASE("answers that are no HTTP, or lie, are failures") {
  struct Case {
    std::string what;
    std::string bytes;
    Fault fault;
  };
  const std::string big(70'000, 'h');
  const Case cases[] = {
      {"garbage", "lorem ipsum dolor sit amet\r\n\r\n", Fault::malformed},
      {"nothing", "", Fault::broken},
      {"half a head", "HTTP/1.1 200 OK\r\nX: ", Fault::broken},
      {"a short body", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", Fault::broken},
      {"a missing last chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
       Fault::broken},
      {"a bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Fault::malformed},
      {"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12",
       Fault::malformed},
      {"the same length twice", "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n1",
       Fault::malformed},
      {"length and chunks",
       "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       Fault::malformed},
      {"an unknown coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx", Fault::malformed},
      {"chunks on HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       Fault::malformed},
      {"a folded line", "HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n", Fault::malformed},
      {"a large header", "HTTP/1.1 200 OK\r\nX: " + big + "\r\n\r\n", Fault::too_large},
      {"large trailers",
       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: " + big + big + big +
           "\r\n\r\n",
       Fault::too_large},
      {"a switch of protocols", "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", Fault::malformed},
      {"a status of 999", "HTTP/1.1 999 What\r\n\r\n", Fault::malformed},
  };
  for (const auto& [what, bytes, fault] : cases) {
    CAPTURE(what);
    StandIn server(says(bytes));
    Fixture fixture;
    const auto notes = fixture.run(Fixture::get(server));
    CHECK(notes->failure.fault == fault);
    CHECK(notes->failure.request_sent);
    CHECK(!notes->failure.text.empty());
    CHECK(fixture.client->stats().connections == 0);
  }
}

TEST_CASE("bytes after an answer are never taken for the next one") {
  StandIn server([](Peer& peer, int number) {
    peer.request();
    peer.write("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n" + std::to_string(number) +
               "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nX");
    peer.request();
  });
  Fixture fixture;
  CHECK(fixture.run(Fixture::get(server))->body == "0");
  CHECK(fixture.run(Fixture::get(server))->body == "1");
}

TEST_CASE("a reset before and in the answer is a failure that says whether the request was sent") {
  StandIn server([](Peer& peer, int number) {
    peer.request();
    if (number == 1) peer.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    peer.reset();
  });
  Fixture fixture;
  const auto first = fixture.run(Fixture::get(server));
  CHECK(first->failure.fault == Fault::broken);
  CHECK(first->failure.request_sent);
  const auto second = fixture.run(Fixture::get(server));
  CHECK(second->failure.fault == Fault::broken);
}

TEST_CASE("a connection that the server ended while it was idle is not used again") {
  StandIn server([](Peer& peer, int) {
    peer.request();
    peer.answer("one");
  });
  Fixture fixture;
  for (int i = 0; i < 3; ++i) {
    CHECK(fixture.run(Fixture::post(server, "x"))->log == "connected sent head:200 end");
    REQUIRE(fixture.until([&] { return fixture.client->stats().connections == 0; }));
  }
}

TEST_CASE("of kept connections that the server has ended none is used, though the loop has not seen it yet") {
  std::atomic<int> served = 0;
  std::atomic<bool> hang_up = false;
  StandIn server([&](Peer& peer, int number) {
    peer.request();
    ++served;
    while (number < 2 && served < 2) std::this_thread::yield();  // so that there are two of them
    peer.answer(std::to_string(number));
    while (!hang_up) std::this_thread::yield();
  });
  Fixture fixture;
  const auto first = fixture.start(Fixture::get(server));
  const auto second = fixture.start(Fixture::get(server));
  while (!first->over || !second->over) fixture.loop.run_one();
  CHECK(fixture.client->stats().idle == 2);
  hang_up = true;
  while (server.open() > 0) std::this_thread::yield();  // without a turn of the loop
  const auto notes = fixture.start(Fixture::post(server, "x"));
  CHECK(fixture.client->stats().idle == 0);
  REQUIRE(fixture.until([&] { return notes->over; }));
  CHECK(notes->log == "connected sent head:200 end");
  CHECK(notes->body == "2");
}

TEST_CASE("a streamed body that comes while its head is sent again is not lost") {
  // Answers once a connection; the first one takes a second head, and hangs up.
  std::promise<std::string> got;  // by the server's thread
  StandIn server([&](Peer& peer, int number) {
    if (number == 0) {
      peer.request();
      peer.answer("fine");
      peer.read_until("\r\n\r\n");
      return;
    }
    peer.read_until("\r\n\r\n");
    got.set_value(peer.read_until("T: 1\r\n\r\n"));
    peer.answer("whole");
  });
  Fixture fixture;
  CHECK(fixture.run(Fixture::get(server))->log == "connected sent head:200 end");
  Request request =
      Fixture::request(server, "POST /x HTTP/1.1\r\nHost: up\r\nTransfer-Encoding: chunked\r\n\r\n");
  request.streamed = request.chunked = true;
  const auto notes = fixture.start(std::move(request));
  while (fixture.client->stats().retried == 0) fixture.loop.run_one();
  CHECK(!notes->call->write("hello"));  // there is no connection: enough for now
  SUBCASE("its end comes later") {
    notes->at_room = [&] {
      CHECK(notes->log == "reused connected ");
      notes->call->finish("T: 1\r\n");
    };
  }
  SUBCASE("its end comes with it") {
    notes->call->finish("T: 1\r\n");
  }
  REQUIRE(fixture.until([&] { return notes->over; }));
  CHECK(notes->log == "reused connected sent head:200 end");
  CHECK(notes->body == "whole");
  CHECK(got.get_future().get() == "5\r\nhello\r\n0\r\nT: 1\r\n\r\n");
}

TEST_CASE("a stale connection: what may be sent again is, once; what may have been acted on is not") {
  // Answers once a connection, then takes a second request and hangs up.
  const auto script = [](Peer& peer, int) {
    peer.request();
    peer.answer("fine");
    peer.request();
  };
  StandIn server(script);
  Fixture fixture;
  CHECK(fixture.run(Fixture::get(server))->log == "connected sent head:200 end");
  const auto again = fixture.run(Fixture::get(server));
  CHECK(again->log == "reused sent connected sent head:200 end");
  CHECK(fixture.client->stats().retried == 1);
  const auto post = fixture.run(Fixture::post(server, "x"));
  CHECK(post->log == "reused sent failed");
  CHECK(post->failure.request_sent);
}

TEST_CASE("a fresh connection that breaks off is not tried again") {
  StandIn server([](Peer& peer, int) { peer.request(); });
  Fixture fixture;
  CHECK(fixture.run(Fixture::get(server))->log == "connected sent failed");
  CHECK(server.connections() == 1);
}

TEST_CASE("an answer that comes before the request's end is handed on") {
  StandIn server([](Peer& peer, int) {
    peer.read_until("\r\n\r\n");
    peer.write("HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig");
  });
  Fixture fixture;
  Request request = Fixture::request(server, "POST /x HTTP/1.1\r\nHost: up\r\nContent-Length: 1000\r\n\r\n");
  request.streamed = true;
  const auto notes = fixture.run(std::move(request));
  CHECK(notes->log == "connected head:413 end");
  CHECK(notes->body == "big");
  CHECK(fixture.client->stats().connections == 0);  // the request was not sent whole
}

TEST_CASE("deadlines: no answer, an answer that stops, an idle connection") {
  std::atomic<bool> done = false;
  StandIn server([&](Peer& peer, int number) {
    peer.request();
    if (number == 1) peer.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
    if (number == 2) peer.answer("kept");
    while (!done) std::this_thread::sleep_for(milliseconds(1));
  });
  Fixture first({.first_byte_timeout = kShort});
  const auto none = first.run(Fixture::get(server));
  CHECK(none->failure.fault == Fault::first_byte_timeout);
  CHECK(none->failure.request_sent);
  Fixture second({.idle_timeout = kShort});
  const auto half = second.run(Fixture::get(server));
  CHECK(half->failure.fault == Fault::idle_timeout);
  CHECK(half->body == "abc");
  Fixture third({.keep_alive = kSlow});
  CHECK(third.run(Fixture::get(server))->body == "kept");
  CHECK(third.client->stats().idle == 1);
  CHECK(third.until([&] { return third.client->stats().idle == 0; }));
  done = true;
}

TEST_CASE("a server that takes no more of the body is given up, wherever its buffers are full") {
  std::atomic<bool> done = false;
  StandIn server([&](Peer& peer, int) {
    peer.read_until("\r\n\r\n");
    while (!done) std::this_thread::sleep_for(milliseconds(1));
  });
  // Pieces of which the last fits whole, so that the next one makes no way at all; and one that fits in part.
  for (const std::size_t size : {1024, 4096, 4'000'000}) {
    CAPTURE(size);
    Fixture fixture({.idle_timeout = kShort});
    Request request =
        Fixture::request(server, "POST /x HTTP/1.1\r\nHost: up\r\nContent-Length: 1000000000\r\n\r\n");
    request.streamed = true;
    const std::string piece(size, 'b');
    const auto notes = fixture.start(std::move(request));
    CHECK(fixture.until([&] { return !notes->log.empty(); }));
    while (notes->call->write(piece)) {
    }
    CHECK(fixture.until([&] { return notes->over; }));
    CHECK(notes->failure.fault == Fault::idle_timeout);
    CHECK(!notes->failure.request_sent);
  }
  done = true;
}

TEST_CASE("addresses that cannot be reached") {
  Fixture fixture;
  const Closed nobody;
  Request request;
  request.origin = {.tls = false, .host = "127.0.0.1", .port = nobody.port()};
  const auto refused = fixture.run(request);
  CHECK(refused->failure.fault == Fault::connect);
  CHECK(!refused->failure.request_sent);
  CHECK(refused->failure.text.find(nobody.port()) != std::string::npos);
  request.origin.host = "no-such-host.invalid";
  CHECK(fixture.run(request)->failure.fault == Fault::resolve);
}

TEST_CASE("a name is resolved, and a dead address does not keep a live one") {
  // localhost is ::1 and 127.0.0.1 on most machines, and nobody listens on ::1.
  StandIn server([](Peer& peer, int) {
    peer.request();
    peer.answer("here");
  });
  Fixture fixture;
  Request request = Fixture::get(server);
  request.origin.host = "localhost";
  CHECK(fixture.run(std::move(request))->body == "here");
}

TEST_CASE("a server that does not accept is given up") {
  // A full backlog: the handshake of a further connection is not answered.
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in name{};
  name.sin_family = AF_INET;
  name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof name;
  ::bind(listener, reinterpret_cast<const sockaddr*>(&name), size);
  ::listen(listener, 0);
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&name), &size);
  Fixture fixture({.connect_timeout = kShort, .first_byte_timeout = kShort});
  Request request;
  request.origin = {.tls = false, .host = "127.0.0.1", .port = std::to_string(ntohs(name.sin_port))};
  request.head = "GET / HTTP/1.1\r\n\r\n";
  std::vector<std::unique_ptr<Notes>> calls;
  for (int i = 0; i < 4; ++i) calls.push_back(fixture.start(request));
  CHECK(fixture.until(
      [&] { return std::all_of(calls.begin(), calls.end(), [](const auto& c) { return c->over; }); }));
  CHECK(calls.back()->failure.fault == Fault::connect_timeout);
  ::close(listener);
}

TEST_CASE("a cancelled call says nothing more, wherever it was") {
  StandIn server([](Peer& peer, int) {
    while (!peer.request().empty()) {
      peer.write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nabc");
      peer.write("def");
    }
  });
  Fixture fixture;
  const auto dialling = fixture.start(Fixture::get(server));
  dialling->call->cancel();
  const auto sent = fixture.start(Fixture::get(server));
  sent->at_sent = [&] { sent->call->cancel(); };
  const auto body = fixture.start(Fixture::get(server));
  body->at_body = [&] { body->call->cancel(); };
  REQUIRE(fixture.until([&] { return body->pieces == 1; }));
  fixture.until([&] { return fixture.client->stats().connections == 0; });
  CHECK(dialling->log.empty());
  CHECK(sent->log == "connected sent ");
  CHECK(body->log == "connected sent head:200 ");
  CHECK(fixture.client->stats().connections == 0);
}

TEST_CASE("the client may go while calls are under way") {
  StandIn server([](Peer& peer, int) {
    peer.request();
    peer.read(1);
  });
  Fixture fixture;
  const auto dialling = fixture.start(Fixture::get(server));
  const auto sent = fixture.start(Fixture::get(server));
  REQUIRE(fixture.until([&] { return sent->log == "connected sent "; }));
  const auto late = fixture.start(Fixture::get(server));
  fixture.client.reset();
  fixture.loop.restart();
  fixture.loop.run_for(milliseconds(10));
  CHECK(!sent->over);
  late->call->cancel();
}

TEST_CASE("at most max_idle connections are kept") {
  auto options = Fixture::quick();
  options.max_idle = 2;
  StandIn server([](Peer& peer, int) {
    while (!peer.request().empty()) peer.answer("x");
  });
  Fixture fixture(options);
  std::vector<std::unique_ptr<Notes>> calls;
  for (int i = 0; i < 5; ++i) calls.push_back(fixture.start(Fixture::get(server)));
  for (const auto& call : calls) CHECK(fixture.until([&] { return call->over; }));
  CHECK(fixture.client->stats().idle == 2);
  CHECK(fixture.client->stats().connections == 2);
}

}  // namespace weir::upstream::test
