#include "proxy/model_watch.hpp"

#include <doctest/doctest.h>

#include "frame_writer.hpp"

namespace weir::proxy::test {
namespace {

using Fault = ModelWatch::Fault;
constexpr std::size_t kMost = 100;

std::string text(std::string_view message, bool last = true) {
  return frame(kText, message, true, last);
}

}  // namespace

TEST_CASE("messages that name the session's model, or none, pass") {
  ModelWatch watch("cheap", kMost);
  for (const char* message :
       {R"({"type":"response.create","model":"cheap"})", R"({"type":"response.cancel"})",
        R"({"model":"cheap","model":"cheap"})", R"({"input":[{"model":"dear"}]})"}) {
    CAPTURE(message);
    CHECK(watch.feed(text(message)) == Fault::none);
    CHECK(watch.feed(frame(kPing, "dear", true)) == Fault::none);
  }
}

TEST_CASE("another model is found, wherever the bytes are cut, with the last of its message") {
  const std::string message = R"({"type":"response.create","model":"dear"})";
  ModelWatch watch("cheap", kMost);
  const std::string bytes =
      text(message.substr(0, 30), false) + frame(kContinuation, message.substr(30), true);
  for (const char c : bytes.substr(0, bytes.size() - 1)) CHECK(watch.feed({&c, 1}) == Fault::none);
  CHECK(watch.feed(bytes.substr(bytes.size() - 1)) == Fault::other_model);

  ModelWatch together("cheap", kMost);
  CHECK(together.feed(text(R"({"model":"cheap"})") + text(message)) == Fault::other_model);
  CHECK(together.feed(text(R"({"model":"cheap"})")) == Fault::other_model);  // it stays
  ModelWatch twice("cheap", kMost);
  CHECK(twice.feed(text(R"({"model":"cheap","model":"dear"})")) == Fault::other_model);
}

TEST_CASE("what cannot be read may name any model") {
  ModelWatch words("cheap", kMost);
  CHECK(words.feed(text("no JSON")) == Fault::unreadable);
  ModelWatch frameless("cheap", kMost);
  CHECK(frameless.feed("GET / HTTP/1.1\r\n") == Fault::unreadable);
  ModelWatch large("cheap", kMost);
  CHECK(large.feed(text(R"({"x":")" + std::string(kMost, 'x') + "\"}")) == Fault::too_large);
}

TEST_CASE("only the message under way is held") {
  ModelWatch watch("cheap", 10'000);
  CHECK(watch.feed(text(R"({"x":")" + std::string(5000, 'x'), false)) == Fault::none);
  CHECK(watch.held_bytes() >= 5000);
  CHECK(watch.feed(frame(kContinuation, "\"}", true)) == Fault::none);
  CHECK(watch.held_bytes() == 0);
}

}  // namespace weir::proxy::test
