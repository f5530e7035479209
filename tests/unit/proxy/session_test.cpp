#include "proxy/session.hpp"

#include <doctest/doctest.h>

#include "frame_writer.hpp"

namespace weir::proxy::test {
namespace {

using namespace std::string_literals;

constexpr std::size_t kMost = 4096;

std::string turn(int prompt, int response, int thoughts) {
  return R"({"serverContent":{"turnComplete":true},"usageMetadata":{"promptTokenCount":)" +
         std::to_string(prompt) + R"(,"responseTokenCount":)" + std::to_string(response) +
         R"(,"totalTokenCount":)" + std::to_string(prompt + response) + R"(,"thoughtsTokenCount":)" +
         std::to_string(thoughts) + "}}";
}

std::string from_server(std::string_view message) {
  return frame(kBinary, message, false);
}

const std::string kGone = frame(kClose, "\x03\xe8"s, false);

}  // namespace

TEST_CASE("turns are added up: each reads all that came before it again") {
  Session session(kMost, true);
  CHECK(!session.from_upstream(from_server(R"({"setupComplete":{}})")));
  CHECK(session.from_upstream(from_server(turn(143, 19, 0))));
  CHECK(!session.from_upstream(from_server(R"({"serverContent":{"modelTurn":{}}})")));
  const std::string second = from_server(turn(181, 24, 7));
  for (const char c : second.substr(0, second.size() - 1)) CHECK(!session.from_upstream({&c, 1}));
  CHECK(session.from_upstream(second.substr(second.size() - 1)));
  REQUIRE(session.usage());
  CHECK(session.usage()->input_tokens == 143 + 181);
  CHECK(session.usage()->output_tokens == 19 + 24);
  CHECK(session.usage()->thoughts_tokens == 7);
  CHECK(session.partial());
  session.from_upstream(kGone);
  CHECK(!session.partial());
  CHECK(!session.error());
}

TEST_CASE("OpenAI's realtime responses are added up, and what they did not use is not there") {
  Session session(kMost, false);
  session.from_upstream(frame(kText, R"({"type":"response.created","response":{"usage":null}})", false));
  const std::string done =
      R"({"type":"response.done","response":{"usage":{"total_tokens":253,"input_tokens":132,"output_tokens":121,
          "input_token_details":{"text_tokens":119,"audio_tokens":13,"cached_tokens":64}}}})";
  for (int i = 0; i < 2; ++i) CHECK(session.from_upstream(frame(kText, done, false)));
  REQUIRE(session.usage());
  CHECK(*session.usage() == Usage{.input_tokens = 264, .cached_input_tokens = 128, .output_tokens = 242});
}

TEST_CASE("a message that is too large to be read, or bytes that are no frames, leave the account partial") {
  Session large(kMost, false);
  large.from_upstream(from_server(R"({"x":")" + std::string(kMost, 'x') + "\"," + turn(1, 1, 0).substr(1)));
  CHECK(large.from_upstream(from_server(turn(5, 6, 0))));
  large.from_upstream(kGone);
  CHECK(large.usage()->input_tokens == 5);
  CHECK(large.partial());

  Session damaged(kMost, false);
  CHECK(damaged.from_upstream(from_server(turn(5, 6, 0))));
  damaged.from_client(frame(kClose, "", true));
  CHECK(!damaged.partial());
  damaged.from_upstream("no frame");
  CHECK(damaged.partial());
  CHECK(!damaged.may_tell_client());
}

TEST_CASE("the first message is kept until it is whole") {
  Session session(kMost, true);
  const std::string setup = R"({"setup":{"model":"models/gemini-live"}})";
  session.from_client(frame(kPing, "", true));
  CHECK(session.first() == Session::First::incomplete);
  session.from_client(frame(kText, setup.substr(0, 10), true, false));
  CHECK(session.first() == Session::First::incomplete);
  session.from_client(frame(kContinuation, setup.substr(10), true) + frame(kText, "second", true));
  CHECK(session.first() == Session::First::complete);
  CHECK(session.first_message() == setup);
  session.forget_first_message();
  CHECK(session.first() == Session::First::none_wanted);
  CHECK(session.may_tell_upstream());
}

TEST_CASE("a first message beyond the bound, or none at all") {
  Session large(kMost, true);
  large.from_client(frame(kText, std::string(kMost + 1, 'x'), true));
  CHECK(large.first() == Session::First::too_large);
  CHECK(large.first_message().empty());
  Session in_pieces(kMost, true);
  for (const char c : frame(kText, std::string(kMost + 1, 'x'), true)) in_pieces.from_client({&c, 1});
  CHECK(in_pieces.first() == Session::First::too_large);
  CHECK(in_pieces.first_message().empty());  // however it is cut
  Session damaged(kMost, true);
  damaged.from_client("GET / HTTP/1.1\r\n");
  CHECK(damaged.first() == Session::First::damaged);
  Session known(kMost, false);
  known.from_client(frame(kText, "x", true));
  CHECK(known.first() == Session::First::none_wanted);
}

TEST_CASE("the model is found where each API names it") {
  using Models = std::vector<std::string>;
  CHECK(models_of_message(R"({"setup":{"model":"models/a"}})") == Models{"a"});
  CHECK(models_of_message(R"({"type":"session.update","session":{"model":"b"}})") == Models{"b"});
  CHECK(models_of_message(R"({"type":"response.create","model":"c"})") == Models{"c"});
  CHECK(models_of_message(R"({"type":"response.create","response":{"model":"d"}})") == Models{"d"});
  CHECK(models_of_message(R"({"session":{"model":"a","audio":{"input":{"model":"b"}}}})") == Models{"a"});
  CHECK(models_of_message(R"({"setup":{"model":"a","model":"b"}})") == Models{"a", "b"});
  CHECK(models_of_message(R"({"setup":{"model":"a"},"setup":{"model":"b"}})") == Models{"a", "b"});
  CHECK(models_of_message(R"({"model":"a","session":{"model":"b"}})") == Models{"a", "b"});
  for (const char* none :
       {"", "{", "[]", "{}", R"({"setup":{}})", R"({"setup":{"model":7}})", R"({"setup":[]})"}) {
    CAPTURE(none);
    CHECK(models_of_message(none).value_or(Models()).empty());
  }
}

TEST_CASE("what is no JSON object may name a model to a reader of another kind") {
  for (const char* text : {"", "{", "[]", "7", R"({"model":NaN})"}) CHECK(!models_of_message(text));
  CHECK(models_of_message("{}"));
}

TEST_CASE("a session that upstream ends for want of quota is an error of 429") {
  Session session(kMost, false);
  session.from_upstream(close_frame(1011, "RESOURCE_EXHAUSTED: Maximum concurrent sessions", false));
  REQUIRE(session.error());
  CHECK(session.error()->status == 429);
  Session fine(kMost, false);
  fine.from_upstream(close_frame(1011, "Internal error occurred.", false));
  CHECK(!fine.error());
}

TEST_CASE("after a close nothing of ours may follow on that side") {
  Session session(kMost, false);
  CHECK(session.may_tell_client());
  CHECK(session.may_tell_upstream());
  session.from_upstream(kGone);
  CHECK(!session.may_tell_client());
  CHECK(session.may_tell_upstream());
  session.from_client(frame(kClose, "", true));
  CHECK(!session.may_tell_upstream());
}

}  // namespace weir::proxy::test
