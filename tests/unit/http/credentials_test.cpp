#include "http/credentials.hpp"

#include <sys/socket.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include "http/peers.hpp"

namespace weir::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr CoarseTime kStart = std::chrono::hours(100);

// How many of `count` requests at `now` go through.
int pass(Credentials& credentials, int count, CoarseTime now) {
  int passed = 0;
  for (int i = 0; i < count; ++i) passed += credentials.identify("t", false, now).wait_s == 0 ? 1 : 0;
  return passed;
}

}  // namespace

TEST_CASE("the bearer's token is what follows the scheme, in any case") {
  CHECK(bearer_token("Bearer abc") == "abc");
  CHECK(bearer_token("bearer  abc ") == "abc");
  CHECK(bearer_token("Bearer ").empty());
  CHECK(bearer_token("Bearer").empty());
  CHECK(bearer_token("Basic abc").empty());
  CHECK(bearer_token("abc").empty());
}

TEST_CASE("a secret is the daemon's, a consumer's, or nobody's") {
  Credentials credentials("own", {{"chat", "t1"}, {"batch", "t2"}});
  CHECK(credentials.identify("own", true, kStart).known);
  CHECK(credentials.identify("own", true, kStart).consumer.empty());
  CHECK(credentials.identify("t2", true, kStart).known);
  CHECK(credentials.identify("t2", true, kStart).consumer == "batch");
  for (const char* wrong : {"", "ow", "ownn", "t", "t11", "T1"}) {
    CAPTURE(wrong);
    CHECK(!credentials.identify(wrong, true, kStart).known);
    CHECK(credentials.identify(wrong, false, kStart).known);  // a way that asks for none
    CHECK(credentials.identify(wrong, false, kStart).consumer.empty());
  }
  CHECK(credentials.identify("t1", false, kStart).consumer == "chat");
}

TEST_CASE("a daemon without a token knows everybody, and consumers by theirs") {
  Credentials credentials("", {{"chat", "t1"}});
  CHECK(credentials.identify("anything", true, kStart).known);
  CHECK(credentials.identify("t1", true, kStart).consumer == "chat");
  CHECK(Credentials().identify("", true, kStart).known);
}

TEST_CASE("a consumer's requests go at its rate, a second's worth at once") {
  Credentials credentials("", {{"chat", "t", 10}, {"other", "u", 1}});
  CHECK(pass(credentials, 50, kStart) == 10);
  const Caller refused = credentials.identify("t", false, kStart);
  CHECK(refused.wait_s == 1);
  CHECK(refused.requests_per_s == 10);
  CHECK(credentials.identify("u", false, kStart).wait_s == 0);  // others have their own
  CHECK(pass(credentials, 50, kStart + milliseconds(99)) == 0);
  CHECK(pass(credentials, 50, kStart + milliseconds(100)) == 1);
  CHECK(pass(credentials, 50, kStart + milliseconds(450)) == 3);
  CHECK(pass(credentials, 50, kStart + seconds(60)) == 10);  // no more is saved up than a second's worth
}

TEST_CASE("at every rate what passes in a minute is the rate and one burst") {
  for (const double rate : {0.5, 1.0, 3.0, 7.0, 64.0, 999.0}) {
    CAPTURE(rate);
    Credentials credentials("", {{"chat", "t", rate}});
    int passed = 0;
    for (CoarseTime at{}; at < seconds(60); at += milliseconds(1))
      passed += pass(credentials, 2, kStart + at);
    CHECK(passed >= static_cast<int>(rate * 60));
    CHECK(passed <= static_cast<int>(rate * 60 + std::max(rate, 1.0)) + 1);
  }
}

TEST_CASE("below one a second the wait is told in whole seconds, rounded up") {
  Credentials credentials("", {{"chat", "t", 0.1}});
  CHECK(pass(credentials, 5, kStart) == 1);
  CHECK(credentials.identify("t", false, kStart + milliseconds(500)).wait_s == 10);
  CHECK(credentials.identify("t", false, kStart + milliseconds(9'999)).wait_s == 1);
  CHECK(credentials.identify("t", false, kStart + seconds(10)).wait_s == 0);
}

TEST_CASE("a rate's first request goes at once, also just after the machine has started") {
  Credentials credentials("", {{"chat", "t", 0.01}});
  CHECK(pass(credentials, 2, seconds(1)) == 1);
  CHECK(credentials.identify("t", false, seconds(1)).wait_s == 100);
}

TEST_CASE("without a rate any number goes") {
  Credentials credentials("", {{"chat", "t"}});
  CHECK(pass(credentials, 100'000, kStart) == 100'000);
}

TEST_CASE("the kernel says who is at the other end of a unix socket") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  const auto peer = peer_of(ends[0]);
  REQUIRE(peer);
  CHECK(peer->process == ::getpid());
  CHECK(peer->user == ::getuid());
  CHECK(peer->group == ::getgid());
  ::close(ends[0]);
  ::close(ends[1]);
  CHECK(!peer_of(-1));
}

}  // namespace weir::http
