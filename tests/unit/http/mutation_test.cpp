// A small fuzzer: valid requests, mutated and cut at random, never crash the server, and never stop it from
// serving others.
#include <random>

#include <doctest/doctest.h>

#include "fixture.hpp"

namespace weir::http::test {

TEST_CASE("mutated requests neither crash nor hang the server") {
  auto options = Fixture::quick();
  options.header_timeout = options.body_timeout = options.idle_timeout = std::chrono::milliseconds(400);
  options.linger_timeout = std::chrono::milliseconds(100);
  options.max_body_bytes = 4096;
  Fixture server(echo, options);
  const std::string seeds[] = {
      get("/path?query=1&b=%20", "X-Request-Id: abc\r\nOrigin: http://localhost\r\n"),
      post("/v1/admissions", R"({"model":"m"})", "Expect: 100-continue\r\n"),
      "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"b\"\r\nhello\r\n0\r\nT: "
      "x\r\n\r\n",
      "GET http://127.0.0.1/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
      get("/") + post("/", "x") + get("/"),
  };
  const std::string pieces[] = {"\r\n",
                                "\n",
                                "\r",
                                " ",
                                ":",
                                std::string(1, '\0'),
                                "\xff",
                                "Content-Length: 5\r\n",
                                "Transfer-Encoding: chunked\r\n",
                                "chunked",
                                ";",
                                "0\r\n\r\n",
                                "ffffffffffffffff\r\n",
                                std::string(3000, 'A'),
                                "HTTP/1.1",
                                "Host: x\r\n",
                                "%",
                                "\t"};
  std::mt19937 random(20'261'122);
  const auto below = [&](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
  };
  for (int i = 0; i < 3000; ++i) {
    auto request = seeds[below(std::size(seeds))];
    for (auto changes = 1 + below(4); changes > 0; --changes) {
      const auto at = below(request.size() + 1);
      switch (below(5)) {
        case 0:
          request.insert(at, pieces[below(std::size(pieces))]);
          break;
        case 1:
          request.erase(at, 1 + below(8));
          break;
        case 2:
          if (at < request.size()) request[at] = static_cast<char>(below(256));
          break;
        case 3:
          request.insert(at, request, below(request.size() + 1), below(64));
          break;
        default:
          request.resize(at);
          break;
      }
    }
    Client client(server.address);
    const auto cut = below(request.size() + 1);
    client.send(request.substr(0, cut));
    client.send(request.substr(cut));
    if (below(4) == 0) {
      client.reset();
    } else {
      client.half_close();
      client.read_all();
      CHECK(client.at_end());
    }
  }
  CHECK(server.ask(get("/")).status == 200);
  CHECK(server.eventually([&] { return server.server->stats().connections == 0; }));
}

}  // namespace weir::http::test
