// Late answers, clients that leave, timeouts, streams, and the stop.
#include <stdexcept>

#include <boost/asio/post.hpp>
#include <doctest/doctest.h>

#include "fixture.hpp"

namespace weir::http::test {
namespace {

using std::chrono::milliseconds;
using namespace std::string_literals;

// Keeps what it is asked, for the test to answer. Loop thread.
struct Keeper {
  std::vector<std::shared_ptr<Exchange>> held;
  int abandoned = 0;
  Server::Handler handler(bool watch = false) {
    return [this, watch](Exchange& exchange) {
      held.push_back(exchange.shared_from_this());
      if (watch) exchange.on_abandoned([this] { ++abandoned; });
    };
  }
};

// A body of `total` bytes in pieces of `piece`; counts what was asked for.
struct Pieces {
  std::size_t total, piece;
  std::shared_ptr<std::size_t> given = std::make_shared<std::size_t>(0);
  void operator()(const std::function<void(std::string, bool)>& deliver) const {
    const auto size = std::min(piece, total - *given);
    *given += size;
    deliver(std::string(size, static_cast<char>('a' + *given / piece % 26)), *given == total);
  }
};

}  // namespace

TEST_CASE("an answer may be written now and sent later") {
  Keeper keeper;
  Fixture server(keeper.handler());
  Client client(server.address);
  for (int i = 0; i < 2; ++i) {
    client.send(get("/" + std::to_string(i + 1)));
    REQUIRE(server.eventually([&] { return keeper.held.size() == 1; }));
    server.on_loop([&] {
      const auto exchange = std::exchange(keeper.held, {}).front();
      exchange->write({.status = 500, .body = "replaced"});
      exchange->write({.status = 201, .body = exchange->request().path});
      exchange->send();
      exchange->send();  // says nothing more
    });
    const auto answer = client.answer();
    CHECK(answer.status == 201);
    CHECK(answer.body == "/" + std::to_string(i + 1));
  }
}

TEST_CASE("a commit sends the answer, a failed one a 503 in its place") {
  Keeper keeper;
  Fixture server(keeper.handler());
  const std::pair<ledger::Commit, int> outcomes[] = {
      {ledger::Commit::durable, 201}, {ledger::Commit::spooled, 201}, {ledger::Commit::failed, 503}};
  Client client(server.address);
  for (const auto& [outcome, status] : outcomes) {
    client.send(post("/", "x"));
    REQUIRE(server.eventually([&] { return keeper.held.size() == 1; }));
    server.on_loop([&, commit = outcome] {
      const auto exchange = std::exchange(keeper.held, {}).front();
      exchange->write({.status = 201, .body = "{}"});
      const std::shared_ptr<ledger::Waiter> waiter = exchange;
      waiter->committed(commit);
    });
    const auto answer = client.answer();
    CHECK(answer.status == status);
    CHECK(answer.header("Retry-After") == (status == 503 ? "1" : ""));
  }
}

TEST_CASE("earlier answers do not wait for a later one") {
  Keeper keeper;
  Fixture server([&](Exchange& exchange) {
    if (exchange.request().path == "/later") {
      keeper.held.push_back(exchange.shared_from_this());
    } else {
      echo(exchange);
    }
  });
  Client client(server.address);
  client.send(get("/now") + get("/later") + get("/after"));
  CHECK(client.answer().body == "GET\n/now\n\n");
  REQUIRE(server.eventually([&] { return keeper.held.size() == 1; }));
  server.on_loop([&] { std::exchange(keeper.held, {}).front()->reply({.body = "late"}); });
  CHECK(client.answer().body == "late");
  CHECK(client.answer().body == "GET\n/after\n\n");
}

TEST_CASE("an exception of a handler is a 500, and the connection goes on") {
  Fixture server([](Exchange& exchange) {
    if (exchange.request().path == "/throw") throw std::runtime_error("a bug");
    if (exchange.request().path == "/int") throw 7;
    echo(exchange);
    if (exchange.request().path == "/late") throw std::runtime_error("after the answer");
  });
  Client client(server.address);
  client.send(get("/throw") + get("/int") + get("/late") + get("/fine"));
  const auto answer = client.answer();
  CHECK(answer.status == 500);
  CHECK(!answer.has("a bug"));
  CHECK(client.answer().status == 500);
  CHECK(client.answer().status == 200);
  CHECK(client.answer().status == 200);
}

TEST_CASE("a request that its handler forgets is answered 500") {
  Fixture server([](Exchange&) {});
  CHECK(server.ask(get("/")).status == 500);
  Fixture sent([](Exchange& exchange) { exchange.send(); });
  CHECK(sent.ask(get("/")).status == 500);
}

TEST_CASE("leaving while an answer is owed is noticed") {
  for (const bool reset : {false, true}) {
    Keeper keeper;
    Fixture server(keeper.handler(true));
    Client client(server.address);
    client.send(get("/"));
    REQUIRE(server.eventually([&] { return keeper.held.size() == 1; }));
    CHECK(server.on_loop([&] { return keeper.abandoned; }) == 0);
    reset ? client.reset() : client.close();
    CHECK(server.eventually([&] { return keeper.abandoned == 1; }));
    CHECK(server.eventually([&] { return server.server->stats().connections == 0; }));
    server.on_loop([&] {
      for (const auto& exchange : keeper.held) {
        CHECK(exchange->request().path == "/");  // still there
        exchange->reply({.body = "too late"});
        exchange->committed(ledger::Commit::failed);
      }
      keeper.held.clear();
    });
    CHECK(keeper.abandoned == 1);
  }
}

TEST_CASE("a pipelined request is not taken for leaving; leaving behind it is noticed") {
  Keeper keeper;
  Fixture server(keeper.handler(true));
  Client client(server.address);
  client.send(get("/1"));
  REQUIRE(server.eventually([&] { return keeper.held.size() == 1; }));
  client.send(get("/2"));
  server.on_loop([] {});
  CHECK(server.on_loop([&] { return keeper.abandoned; }) == 0);
  server.on_loop([&] { std::exchange(keeper.held, {}).front()->reply({.body = "one"}); });
  CHECK(client.answer().body == "one");
  REQUIRE(server.eventually([&] { return keeper.held.size() == 1; }));
  client.send(get("/3"));
  client.close();
  CHECK(server.eventually([&] { return keeper.abandoned == 1; }));
  server.on_loop([&] { keeper.held.clear(); });
}

TEST_CASE("a watch can be ended, and one that comes too late is called at once") {
  Keeper keeper;
  Fixture server(keeper.handler(true));
  Client client(server.address);
  client.send(get("/"));
  REQUIRE(server.eventually([&] { return keeper.held.size() == 1; }));
  server.on_loop([&] { keeper.held.front()->on_abandoned(nullptr); });
  client.reset();
  server.on_loop([&] { keeper.held.front()->reply({.body = "into the void"}); });
  CHECK(server.eventually([&] { return server.server->stats().connections == 0; }));
  CHECK(keeper.abandoned == 0);
  server.on_loop([&] {
    keeper.held.front()->on_abandoned(nullptr);
    keeper.held.front()->on_abandoned([&] { ++keeper.abandoned; });
  });
  CHECK(server.eventually([&] { return keeper.abandoned == 1; }));
  server.on_loop([&] { keeper.held.clear(); });
}

TEST_CASE("nothing is called after the answer, nor by the server's end") {
  Keeper keeper;
  Fixture server(keeper.handler(true));
  Client client(server.address), other(server.address);
  client.send(get("/1"));
  REQUIRE(server.eventually([&] { return keeper.held.size() == 1; }));
  server.on_loop([&] { std::exchange(keeper.held, {}).front()->reply({.body = "one"}); });
  CHECK(client.answer().body == "one");
  client.close();
  other.send(get("/2"));
  REQUIRE(server.eventually([&] { return keeper.held.size() == 1; }));
  server.on_loop([&] {
    server.server.reset();
    keeper.held.front()->reply({.body = "nobody hears"});
    keeper.held.clear();
  });
  CHECK(other.at_end());
  CHECK(keeper.abandoned == 0);
}

TEST_CASE("a stream comes in chunks, and the connection goes on") {
  Fixture server([](Exchange& exchange) {
    exchange.stream(200, "text/csv", Pieces{.total = 1'000'000, .piece = 7'777});
  });
  Client client(server.address);
  for (int i = 0; i < 2; ++i) {
    client.send(get("/"));
    const auto answer = client.answer();
    CHECK(answer.header("Transfer-Encoding") == "chunked");
    CHECK(answer.header("Content-Type") == "text/csv");
    CHECK(answer.body.size() == 1'000'000);
  }
  client.send("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n" + get("/"));
  CHECK(client.answer(true).status == 200);
  CHECK(client.answer().body.size() == 1'000'000);
  Client old(server.address);
  old.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const auto answer = old.answer();
  CHECK(answer.header("Transfer-Encoding").empty());
  CHECK(answer.header("Connection") == "close");
  CHECK(answer.body.size() == 1'000'000);
}

TEST_CASE("pieces may come later, and empty") {
  std::function<void(std::string, bool)> deliver;
  Fixture server([&](Exchange& exchange) {
    exchange.stream(200, "text/event-stream",
                    [&](std::function<void(std::string, bool)> give) { deliver = std::move(give); });
  });
  Client client(server.address);
  client.send(get("/"));
  CHECK(client.wait_for("\r\n\r\n"));  // the head does not wait for a piece
  for (const std::string& piece : {"one"s, ""s, "two"s}) {
    REQUIRE(server.eventually([&] { return deliver != nullptr; }));
    server.on_loop([&] {
      const auto give = std::exchange(deliver, nullptr);
      give(piece, false);
      give("twice is ignored", false);
    });
  }
  REQUIRE(server.eventually([&] { return deliver != nullptr; }));
  server.on_loop([&] { std::exchange(deliver, nullptr)("", true); });
  CHECK(client.wait_for("3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"));
}

TEST_CASE("a slow reader holds a stream back") {
  auto options = Fixture::quick();
  options.send_buffer_bytes = 8192;
  const auto given = std::make_shared<std::size_t>(0);
  Fixture server(
      [given](Exchange& exchange) {
        exchange.stream(200, "text/plain", Pieces{.total = 10'000'000, .piece = 10'000, .given = given});
      },
      options);
  Client client(server.address, 8192);
  client.send(get("/"));
  std::size_t before = 0;
  while (before == 0 || server.on_loop([&] { return *given; }) != before) {  // until it stands still
    before = server.on_loop([&] { return *given; });
    std::this_thread::sleep_for(milliseconds(50));
  }
  CHECK(before < 1'000'000);
  CHECK(client.answer().body.size() == 10'000'000);
}

TEST_CASE("a client that leaves in mid-stream ends it") {
  const auto given = std::make_shared<std::size_t>(0);
  Fixture server([given](Exchange& exchange) {
    exchange.stream(200, "text/plain",
                    Pieces{.total = std::size_t{1} << 40U, .piece = 10'000, .given = given});
  });
  {
    Client client(server.address);
    client.send(get("/"));
    client.read(100'000);
  }
  CHECK(server.eventually([&] { return server.server->stats().connections == 0; }));
  CHECK(given.use_count() == 2);  // the test's and the handler's: the source is gone
}

TEST_CASE("a client that leaves while a stream waits ends it, and late pieces are ignored") {
  std::function<void(std::string, bool)> deliver;
  const auto alive = std::make_shared<int>(0);
  Fixture server([&](Exchange& exchange) {
    exchange.stream(200, "text/event-stream", [&deliver, alive](std::function<void(std::string, bool)> give) {
      deliver = std::move(give);
    });
  });
  {
    Client client(server.address);
    client.send(get("/"));
    client.read(20);
  }
  CHECK(server.eventually([&] { return server.server->stats().connections == 0; }));
  CHECK(alive.use_count() == 1);
  server.on_loop([&] { std::exchange(deliver, nullptr)("late", true); });
}

TEST_CASE("a source that throws ends the connection, not the server") {
  Fixture server([](Exchange& exchange) {
    exchange.stream(200, "text/plain", [](const auto&) { throw std::runtime_error("a bug"); });
  });
  for (int i = 0; i < 2; ++i) {
    Client client(server.address);
    client.send(get("/"));
    CHECK(client.read_all().find("\r\n0\r\n") == std::string::npos);
  }
}

TEST_CASE("a client that is slow with its request is answered 408") {
  auto options = Fixture::quick();
  options.header_timeout = options.body_timeout = milliseconds(60);
  Fixture server(echo, options);
  for (const std::string& request : {"GET / HTT"s, get("/").substr(0, 30), post("/", "body").substr(0, 58)}) {
    Client client(server.address);
    client.send(request);
    CHECK(client.answer().status == 408);
    CHECK(client.at_end());
  }
  Client dripping(server.address);  // its deadline is not renewed by the byte
  dripping.send("GET / HTTP/1.1\r\nX: ");
  for (int i = 0; i < 1000 && dripping.send("x"); ++i) std::this_thread::sleep_for(milliseconds(5));
  CHECK(server.eventually([&] { return server.server->stats().timeouts == 4; }));
  Client blank(server.address);  // nor by blank lines before a request
  for (int i = 0; i < 1000 && blank.send(i % 2 == 0 ? "\r" : "\n"); ++i)
    std::this_thread::sleep_for(milliseconds(5));
  CHECK(server.eventually([&] { return server.server->stats().timeouts == 5; }));
  CHECK(server.stats().requests == 0);
}

TEST_CASE("an idle connection is closed") {
  auto options = Fixture::quick();
  options.idle_timeout = kSlow;
  Fixture server(echo, options);
  Client silent(server.address), once(server.address);
  once.send(get("/"));
  CHECK(once.answer().status == 200);
  CHECK(once.at_end());
  CHECK(silent.at_end());
}

TEST_CASE("a client that does not read is given up") {
  auto options = Fixture::quick();
  options.write_timeout = milliseconds(60);
  options.send_buffer_bytes = 8192;
  Fixture server([](Exchange& exchange) { exchange.reply({.body = std::string(8 << 20, 'x')}); }, options);
  Client client(server.address, 8192);
  client.send(get("/"));
  CHECK(server.eventually([&] { return server.server->stats().timeouts == 1; }));
  CHECK(server.stats().connections == 0);
}

TEST_CASE("a stop waits for what has begun, and drops nothing") {
  Keeper keeper;
  Fixture server(keeper.handler());
  Client owed(server.address), written(server.address), half(server.address), idle(server.address),
      fresh(server.address);
  idle.send(get("/"));
  REQUIRE(server.eventually([&] { return keeper.held.size() == 1; }));
  server.on_loop([&] { std::exchange(keeper.held, {}).front()->reply({.body = "served"}); });
  CHECK(idle.answer().body == "served");
  written.send(get("/written"));
  REQUIRE(server.eventually([&] { return keeper.held.size() == 1; }));
  server.on_loop([&] { keeper.held.front()->write({.body = "written before the stop"}); });
  owed.send(get("/owed"));
  REQUIRE(server.eventually([&] { return keeper.held.size() == 2; }));
  half.send(post("/half", "body").substr(0, 40));
  REQUIRE(server.eventually([&] { return server.server->stats().connections == 5; }));

  bool done = false;
  const auto address = server.address;
  server.on_loop([&] { server.server->stop(std::chrono::seconds(30), [&] { done = true; }); });
  CHECK(idle.at_end());
  CHECK(!Client(address).connected());
  fresh.send(get("/fresh"));  // it had connected before
  half.send(post("/half", "body").substr(40));
  REQUIRE(server.eventually([&] { return keeper.held.size() == 4; }));
  CHECK(!server.on_loop([&] { return done; }));
  server.on_loop([&] {
    for (const auto& exchange : std::exchange(keeper.held, {})) {
      exchange->request().path == "/written" ? exchange->send()
                                             : exchange->reply({.body = exchange->request().path});
    }
  });
  for (Client* client : {&owed, &written, &half, &fresh}) {
    const auto answer = client->answer();
    CHECK(answer.status == 200);
    CHECK(answer.header("Connection") == "close");
    CHECK(client->at_end());
  }
  CHECK(server.eventually([&] { return done; }));
  CHECK(server.stats().connections == 0);
}

TEST_CASE("a stop serves the whole pipeline of a client") {
  Keeper keeper;
  Fixture server(keeper.handler());
  Client client(server.address);
  client.send(get("/1") + get("/2") + get("/3"));
  REQUIRE(server.eventually([&] { return keeper.held.size() == 1; }));
  bool done = false;
  server.on_loop([&] { server.server->stop(std::chrono::seconds(30), [&] { done = true; }); });
  for (const char* path : {"/1", "/2", "/3"}) {
    REQUIRE(server.eventually([&] { return keeper.held.size() == 1; }));
    server.on_loop([&] {
      const auto exchange = std::exchange(keeper.held, {}).front();
      exchange->reply({.body = exchange->request().path});
    });
    const auto answer = client.answer();
    CHECK(answer.body == path);
    CHECK(answer.header("Connection") == (std::string_view(path) == "/3" ? "close" : ""));
  }
  CHECK(server.eventually([&] { return done; }));
}

TEST_CASE("a stop serves who had connected, though nobody had accepted yet") {
  Fixture server(echo);
  std::vector<std::unique_ptr<Client>> clients;
  bool done = false;
  server.on_loop([&] {  // the loop cannot accept meanwhile
    for (int i = 0; i < 20; ++i) {
      clients.push_back(std::make_unique<Client>(server.address));
      if (i % 2 == 0) clients.back()->send(get("/waiting"));
    }
    server.server->stop(std::chrono::seconds(30), [&] { done = true; });
  });
  for (const auto& client : clients) client->send(get("/waiting"));
  for (const auto& client : clients) CHECK(client->answer().body == "GET\n/waiting\n\n");
  CHECK(server.eventually([&] { return done; }));
}

TEST_CASE("a stop gives up clients that have connected and say nothing") {
  Fixture server(echo);
  Client silent(server.address);
  REQUIRE(server.eventually([&] { return server.server->stats().connections == 1; }));
  bool done = false;
  server.on_loop([&] { server.server->stop(std::chrono::seconds(30), [&] { done = true; }); });
  CHECK(server.eventually([&] { return done; }));
  CHECK(silent.at_end());
}

TEST_CASE("a stop loses patience") {
  Keeper keeper;
  Fixture server(keeper.handler(true));
  Client client(server.address);
  client.send(get("/"));
  REQUIRE(server.eventually([&] { return keeper.held.size() == 1; }));
  bool done = false;
  server.on_loop([&] { server.server->stop(milliseconds(50), [&] { done = true; }); });
  CHECK(client.at_end());
  CHECK(server.eventually([&] { return done; }));
  CHECK(keeper.abandoned == 1);
  server.on_loop([&] { keeper.held.clear(); });
}

TEST_CASE("a stop without connections is done at once, and nothing wakes the loop afterwards") {
  boost::asio::io_context loop{1};
  Server server(loop, Fixture::quick(), echo);
  server.listen();
  bool done = false;
  server.stop(std::chrono::seconds(30), [&] { done = true; });
  CHECK(!done);  // from a later turn
  loop.run();    // returns: no timer, no accept is left
  CHECK(done);
}

}  // namespace weir::http::test
