// A small fuzzer: valid requests, mutated and cut at random, never crash the server, and never stop it from
// serving others.
#include <random>

#include <doctest/doctest.h>

#include "http/request_parser.hpp"

#include "fixture.hpp"

namespace weir::http::test {
namespace {

class Mutations {
 public:
  explicit Mutations(std::uint32_t seed) : random_(seed) {}
  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }

  std::string next() {
    auto request = seeds_[below(std::size(seeds_))];
    for (auto changes = 1 + below(4); changes > 0; --changes) {
      const auto at = below(request.size() + 1);
      switch (below(5)) {
        case 0:
          request.insert(at, pieces_[below(std::size(pieces_))]);
          break;
        case 1:
          request.erase(at, 1 + below(8));
          break;
        case 2:
          if (at < request.size()) request[at] = static_cast<char>(below(256));
          break;
        case 3:
          request.insert(at, std::string(request), below(request.size() + 1), below(64));
          break;
        default:
          request.resize(at);
          break;
      }
    }
    return request;
  }

 private:
  std::mt19937 random_;
  const std::string seeds_[5] = {
      get("/path?query=1&b=%20", "X-Request-Id: abc\r\nOrigin: http://localhost\r\n"),
      post("/v1/admissions", R"({"model":"m"})", "Expect: 100-continue\r\n"),
      "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5;a=\"b\"\r\nhello\r\n0\r\nT: "
      "x\r\n\r\n",
      "GET http://127.0.0.1/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
      get("/") + post("/", "x") + get("/"),
  };
  const std::string pieces_[18] = {"\r\n",
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
};

// The requests that a parser accepts of the bytes, given in pieces of piece(bytes left). Not its refusal:
// Beast finds an error at once in what comes as a whole, but may wait for the end of the head in what comes
// in pieces.
template <class Piece>
std::vector<std::string> outcomes(std::string_view bytes, Piece piece) {
  std::vector<std::string> all;
  InputBuffer buffer;
  RequestParser parser(1000, 4096);
  Request request;
  while (true) {
    switch (parser.parse(buffer)) {
      case RequestParser::Step::head_done:
        parser.view(buffer, request);
        break;
      case RequestParser::Step::complete:
        parser.view(buffer, request);
        all.push_back(std::string(request.target) + "|" + std::string(request.path) + "|" +
                      std::string(request.header("X-Request-Id")) + "|" + std::string(request.body) +
                      (parser.keep_alive() ? "|keep" : "|close"));
        parser.finish(buffer);
        request = {};
        break;
      case RequestParser::Step::failed:
        return all;
      case RequestParser::Step::need_more: {
        if (bytes.empty()) return all;
        const auto room = buffer.prepare();
        const auto count = std::min(room.size(), piece(bytes.size()));
        bytes.copy(room.data(), count);
        buffer.commit(count);
        bytes.remove_prefix(count);
        break;
      }
    }
  }
}

}  // namespace

TEST_CASE("a mutated request is read the same, however it is split") {
  Mutations mutations(20'261'123);
  for (int i = 0; i < 5000; ++i) {
    const auto request = mutations.next();
    CAPTURE(request);
    CHECK(outcomes(request, [&](std::size_t left) { return left; }) ==
          outcomes(request, [&](std::size_t left) { return std::min(left, 1 + mutations.below(40)); }));
  }
}

TEST_CASE("mutated requests neither crash nor hang the server") {
  auto options = Fixture::quick();
  options.header_timeout = options.body_timeout = std::chrono::milliseconds(400);
  options.linger_timeout = std::chrono::milliseconds(100);
  options.max_body_bytes = 4096;
  Fixture server(echo, options);
  Mutations mutations(20'261'122);
  for (int i = 0; i < 3000; ++i) {
    const auto request = mutations.next();
    Client client(server.address);
    const auto cut = mutations.below(request.size() + 1);
    client.send(request.substr(0, cut));
    client.send(request.substr(cut));
    if (mutations.below(4) == 0) {
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
