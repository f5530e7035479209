// Names that stand for several addresses: which is tried when, and what is said when none answers.
#include "upstream/dialer.hpp"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "fixture.hpp"

namespace weir::upstream::test {
namespace {

namespace ip = boost::asio::ip;

// A listening socket whose backlog is full: a further connection is neither taken nor refused.
class Silent {
 public:
  explicit Silent(const char* address) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    name_.sin_family = AF_INET;
    ::inet_pton(AF_INET, address, &name_.sin_addr);
    socklen_t size = sizeof name_;
    ::bind(listener_, reinterpret_cast<const sockaddr*>(&name_), size);
    ::listen(listener_, 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&name_), &size);
    for (int& fd : fillers_) {
      fd = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
      (void)::connect(fd, reinterpret_cast<const sockaddr*>(&name_), size);
    }
  }
  ~Silent() {
    for (const int fd : fillers_) ::close(fd);
    ::close(listener_);
  }
  Silent(const Silent&) = delete;
  Silent& operator=(const Silent&) = delete;
  [[nodiscard]] ip::tcp::endpoint endpoint() const {
    return {ip::address_v4(ntohl(name_.sin_addr.s_addr)), ntohs(name_.sin_port)};
  }

 private:
  int listener_ = -1;
  sockaddr_in name_{};
  std::array<int, 4> fillers_{};
};

ip::tcp::endpoint at(const std::string& address, const std::string& port) {
  return {ip::make_address(address), static_cast<unsigned short>(std::stoul(port))};
}

struct Dialled {
  bool over = false;
  std::optional<Transport> transport;
  Failure failure;
};

Dialled dial(std::vector<ip::tcp::endpoint> addresses) {
  Fixture fixture;
  Resolver resolver(fixture.loop);
  Dialled dialled;
  const auto dialer =
      std::make_shared<Dialer>(fixture.loop, resolver, Origin{false, "many.example", "80"}, nullptr,
                               std::nullopt, [&](std::optional<Transport> transport, Failure failure) {
                                 dialled.over = true;
                                 dialled.transport = std::move(transport);
                                 dialled.failure = std::move(failure);
                               });
  dialer->start(std::move(addresses));
  fixture.until([&] { return dialled.over; });
  if (dialled.transport) {
    boost::system::error_code ignored;
    dialled.transport->socket().close(ignored);
    dialled.transport.reset();
    dialled.failure.text = "connected";
  }
  return dialled;
}

}  // namespace

TEST_CASE("an address that does not answer does not keep the next one") {
  const Silent silent("127.0.0.2"), mute("127.0.0.3");
  StandIn server([](Peer& peer, int) { peer.read(1); });
  CHECK(dial({silent.endpoint(), mute.endpoint(), at("127.0.0.1", server.port())}).failure.text ==
        "connected");
}

TEST_CASE("an address that refuses makes way for the next one at once, of whatever family") {
  const Closed nobody;
  const std::string closed = nobody.port();
  StandIn server([](Peer& peer, int) { peer.read(1); });
  CHECK(dial({at("::1", closed), at("127.0.0.2", closed), at("127.0.0.1", server.port())}).failure.text ==
        "connected");
  CHECK(dial({at("127.0.0.2", closed), at("127.0.0.3", closed), at("::1", closed),
              at("127.0.0.1", server.port())})
            .failure.text == "connected");
}

TEST_CASE("when all refuse, the failure says to how many") {
  const Closed nobody;
  const std::string closed = nobody.port();
  const Dialled dialled = dial({at("127.0.0.1", closed), at("127.0.0.2", closed)});
  CHECK(dialled.failure.fault == Fault::connect);
  CHECK(dialled.failure.text.find("many.example") != std::string::npos);
  CHECK(dialled.failure.text.find("2 addresses") != std::string::npos);
  CHECK(dial({}).failure.fault == Fault::resolve);
}

}  // namespace weir::upstream::test
