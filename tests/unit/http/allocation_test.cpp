// The hot path allocates nothing: counted by operator new, for the thread of the loop.
#include <cstddef>

#include <doctest/doctest.h>

#include "fixture.hpp"

extern thread_local std::size_t allocations_of_thread;  // allocation_count.cpp

namespace weir::http::test {

TEST_CASE("a request in the steady state allocates nothing") {
  Fixture server(echo);
  Client client(server.address);
  const auto request = post("/v1/admissions", std::string(200, 'x'), "User-Agent: test\r\nAccept: */*\r\n");
  const auto batch = [&] {
    for (int i = 0; i < 200; ++i) {
      client.send(request);
      client.answer();
    }
  };
  batch();
  const auto before = server.on_loop([] { return allocations_of_thread; });
  batch();
  CHECK(server.on_loop([] { return allocations_of_thread; }) - before < 10);  // those of on_loop itself
}

}  // namespace weir::http::test
