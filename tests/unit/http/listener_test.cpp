// Addresses, Unix sockets and their files.
#include "http/listener.hpp"

#include <filesystem>
#include <fstream>
#include <system_error>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <doctest/doctest.h>

#include "fixture.hpp"

namespace weir::http::test {
namespace {

namespace fs = std::filesystem;

struct Directory {
  fs::path path;
  Directory() {
    char name[] = "/tmp/weir-http-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~Directory() { fs::remove_all(path); }
  std::string socket() const { return "unix:" + (path / "w.sock").string(); }
};

ServerOptions listening(std::vector<std::string> addresses) {
  auto options = Fixture::quick();
  options.listen = std::move(addresses);
  return options;
}

std::string error_of(std::vector<std::string> addresses) {
  boost::asio::io_context loop{1};
  Server server(loop, listening(std::move(addresses)), echo);
  try {
    server.listen();
  } catch (const std::system_error& error) {
    CHECK(server.addresses().empty());
    return error.what();
  }
  return {};
}

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("several addresses are served, and told with their ports") {
  Directory directory;
  boost::asio::io_context probe;
  Fixture server(echo, listening({"127.0.0.1:0", "localhost:0", directory.socket()}));
  const auto addresses = server.on_loop([&] { return server.server->addresses(); });
  REQUIRE(addresses.size() == 3);
  for (const auto& address : addresses) {
    CAPTURE(address);
    CHECK(!address.ends_with(":0"));
    Client client(address);
    client.send(get("/"));
    CHECK(client.answer().status == 200);
  }
  CHECK(addresses[2] == directory.socket());
}

TEST_CASE("an IPv6 address is told in brackets") {
  boost::asio::io_context loop{1};
  Server server(loop, listening({"[::1]:0"}), echo);
  try {
    server.listen();
  } catch (const std::system_error&) {
    return;  // no IPv6 here
  }
  CHECK(server.addresses().front().starts_with("[::1]:"));
}

TEST_CASE("a Unix socket asks neither for a known Host nor for the token, and says so to the route") {
  Directory directory;
  auto options = listening({directory.socket()});
  options.bearer_token = "secret";
  Fixture server(
      [](Exchange& exchange) {
        exchange.reply({.body = exchange.request().over_unix_socket ? "unix" : "tcp"});
      },
      options);
  CHECK(server.ask("GET / HTTP/1.1\r\nHost: weir\r\nOrigin: http://evil.example\r\n\r\n").body == "unix");
}

TEST_CASE("a Unix socket's file has mode 0660 and goes with the server") {
  Directory directory;
  const auto path = directory.path / "w.sock";
  {
    Fixture server(echo, listening({directory.socket()}));
    CHECK((fs::status(path).permissions() & fs::perms::mask) == fs::perms(0660));
  }
  CHECK(!fs::exists(path));
}

TEST_CASE("a stale socket file is replaced, a live one and other files are not") {
  Directory directory;
  const auto path = directory.path / "w.sock";
  {
    boost::asio::io_context loop;
    boost::asio::basic_socket_acceptor<boost::asio::generic::stream_protocol> left(loop);
    boost::asio::local::stream_protocol::endpoint endpoint(path.string());
    left.open(boost::asio::generic::stream_protocol(AF_UNIX, 0));
    left.bind(endpoint);
  }
  REQUIRE(fs::exists(path));  // as after kill -9
  Fixture server(echo, listening({directory.socket()}));
  CHECK(server.ask(get("/")).status == 200);
  CHECK(has(error_of({directory.socket()}), "another program listens there"));
  CHECK(server.ask(get("/")).status == 200);  // still ours

  const auto file = directory.path / "precious";
  std::ofstream(file) << "data";
  CHECK(has(error_of({"unix:" + file.string()}), "not a socket"));
  CHECK(fs::file_size(file) == 4);
}

TEST_CASE("the file of a server that took over is not removed by the one before") {
  Directory directory;
  auto first = std::make_unique<Fixture>(echo, listening({directory.socket()}));
  fs::remove(directory.path / "w.sock");
  Fixture second(echo, listening({directory.socket()}));
  first.reset();
  CHECK(second.ask(get("/")).status == 200);
}

TEST_CASE("what cannot be bound is told by name, with advice") {
  Fixture server(echo);
  const auto taken = error_of({server.address});
  CHECK(has(taken, server.address));
  CHECK(has(taken, "another program listens there"));
  CHECK(has(error_of({"unix:/nonexistent/w.sock"}), "create it"));
  CHECK(has(error_of({"127.0.0.1"}), "no port"));
  CHECK(has(error_of({"127.0.0.1:http"}), "not a number"));
  CHECK(has(error_of({"127.0.0.1:65536"}), "65535"));
  CHECK(has(error_of({"::1:80"}), "brackets"));
  CHECK(has(error_of({":80"}), "no host"));
  CHECK(has(error_of({"unix:relative"}), "absolute"));
  CHECK(has(error_of({"unix:/" + std::string(200, 'x')}), "too long"));
  CHECK(has(error_of({"no-such-host.invalid:1"}), "not known"));
}

TEST_CASE("if one address fails, those before are free again") {
  Directory directory;
  CHECK(!error_of({directory.socket(), "127.0.0.1"}).empty());
  CHECK(!fs::exists(directory.path / "w.sock"));
}

TEST_CASE("the specific address that it is bound to is a known Host") {
  Fixture server(echo, listening({"0.0.0.0:0"}));
  CHECK(server.ask("GET / HTTP/1.1\r\nHost: 0.0.0.0\r\n\r\n").status == 403);
  boost::asio::io_context loop;
  const auto connections = std::make_shared<Connections>(loop, ServerOptions{}, echo);
  CHECK(Listener(connections, loop, "192.0.2.1:80").specific_host() == "192.0.2.1");
  CHECK(Listener(connections, loop, "[2001:db8::1]:80").specific_host() == "[2001:db8::1]");
  CHECK(Listener(connections, loop, "[::]:80").specific_host() == "");
}

TEST_CASE("without descriptors it waits, and accepts again when there are some") {
  Fixture server(echo);
  Client first(server.address);  // its descriptor exists already
  first.send(get("/"));
  CHECK(first.answer().status == 200);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  // The client below gets the last descriptor; the server finds none.
  const int next = ::dup(0);
  ::close(next);
  rlimit tight = before;
  tight.rlim_cur = static_cast<rlim_t>(next) + 1;
  ::setrlimit(RLIMIT_NOFILE, &tight);
  Client waiting(server.address);
  waiting.send(get("/"));
  const bool failed = server.eventually([&] { return server.server->stats().accept_errors > 0; });
  ::setrlimit(RLIMIT_NOFILE, &before);
  CHECK(failed);
  CHECK(waiting.answer().status == 200);
}

}  // namespace weir::http::test
