#include "proxy/callers.hpp"

#include <doctest/doctest.h>

#include "head.hpp"

namespace weir::proxy::test {
namespace {

std::string head(const std::string& lines) {
  return "POST /proxy/x HTTP/1.1\r\nHost: localhost\r\n" + lines + "\r\n";
}

}  // namespace

TEST_CASE("the key is found in each of its places, the header first") {
  const Head both(head("x-goog-api-key: a\r\nAuthorization: Bearer b\r\n"));
  CHECK(presented_key(both.request, "c") == "a");
  const Head bearer(head("Authorization: bearer   b\r\n"));
  CHECK(presented_key(bearer.request, "c") == "b");
  const Head basic(head("Authorization: Basic b\r\n"));
  CHECK(presented_key(basic.request, "c") == "c");
  const Head token(head("Authorization: Token auth_tokens/t\r\n"));
  CHECK(presented_key(token.request, "c") == "auth_tokens/t");
  const Head subprotocol(head("Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.k\r\n"));
  CHECK(presented_key(subprotocol.request, "c") == "k");
}

TEST_CASE("a header names the consumer") {
  CHECK(named_consumer(Head(head("X-Weir-Consumer: other\r\n")).request) == "other");
  CHECK(named_consumer(Head(head("")).request) == "default");
  CHECK(named_consumer(Head(head("X-Weir-Consumer:\r\n")).request) == "default");
}

TEST_CASE("the names of consumers are those that the API takes") {
  for (const std::string& name : {std::string("a b"), std::string("caf\xc3\xa9"), std::string(200, 'x')})
    CHECK_MESSAGE(consumer_fault(name) == std::nullopt, name);
  CHECK(consumer_fault(std::string(201, 'x')) == "must be at most 200 bytes");
  CHECK(consumer_fault("a\tb") == "must not contain control characters");
  CHECK(consumer_fault("caf\xe9") == "must be UTF-8");  // Latin-1
}

}  // namespace weir::proxy::test
