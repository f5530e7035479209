#include "provider/stream_usage.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "provider/error.hpp"

#include "print.hpp"
#include "upstream_data.hpp"

namespace weir::provider {
namespace {

StreamUsage fed(const std::string& bytes, std::size_t piece, std::size_t max_event_bytes = 4 << 20) {
  StreamUsage reader(max_event_bytes);
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    reader.feed(std::string_view(bytes).substr(at, piece));
  reader.finish();
  return reader;
}

std::string event(int prompt) {
  return R"({"usageMetadata":{"promptTokenCount":)" + std::to_string(prompt) + R"(,"totalTokenCount":)" +
         std::to_string(prompt) + "}}";
}

// Whole, byte by byte, and in pieces of every small size: all the same.
std::optional<Usage> read(const std::string& bytes) {
  const StreamUsage whole = fed(bytes, bytes.size() + 1);
  for (std::size_t piece = 1; piece < 40; ++piece) {
    const StreamUsage cut = fed(bytes, piece);
    CAPTURE(piece);
    CHECK(cut.usage() == whole.usage());
    CHECK(cut.error() == whole.error());
  }
  return whole.usage();
}

}  // namespace

TEST_CASE("a recorded answer cut in two anywhere reads as when it is whole") {
  for (const std::string& file : testing::upstream_files("samples")) {
    CAPTURE(file);
    const std::string body = testing::upstream_body("samples", file);
    const std::optional<Usage> whole = read(body);
    for (std::size_t cut = 0; cut <= body.size(); ++cut) {
      StreamUsage reader;
      reader.feed(std::string_view(body).substr(0, cut));
      reader.feed(std::string_view(body).substr(cut));
      reader.finish();
      REQUIRE(reader.usage() == whole);
    }
  }
}

TEST_CASE("events are told apart however their lines are written") {
  const Usage last{2, 0, 0, 0, 0};
  CHECK(read("data: " + event(1) + "\n\ndata: " + event(2) + "\n\n") == last);
  CHECK(read("data: " + event(1) + "\r\n\r\ndata: " + event(2) + "\r\n\r\n") == last);
  CHECK(read("data:" + event(1) + "\n\ndata:" + event(2) + "\n\n") == last);
  CHECK(read(": a comment\n\nevent: message\nid: 7\ndata: " + event(2) + "\nretry: 10\n\ndata: [DONE]\n\n") ==
        last);
  CHECK(read("\xEF\xBB\xBF\r\n\r\ndata: " + event(2) + "\n\n") == last);
  CHECK(read("data: {\"usageMetadata\":\ndata: {\"promptTokenCount\":\ndata:2}}\n\n") == last);
}

TEST_CASE("the last event counts even if the stream ends without its blank line") {
  CHECK(read("data: " + event(1) + "\n\ndata: " + event(2) + "\n") == Usage{2, 0, 0, 0, 0});
  CHECK(read("data: " + event(1) + "\n\ndata: " + event(2)) == Usage{2, 0, 0, 0, 0});
  CHECK(read("data: " + event(1) + "\n\ndata: " + event(2).substr(0, 40)) == Usage{1, 0, 0, 0, 0});
}

TEST_CASE("usage may go down, be null, or come before the end") {
  CHECK(read("data: " + event(50) + "\n\ndata: " + event(7) + "\n\n") == Usage{7, 0, 0, 0, 0});
  CHECK(read("data: {\"usage\":null}\n\n"
             "data: {\"usage\":{\"prompt_tokens\":4,\"completion_tokens\":1,\"total_tokens\":5}}\n\n"
             "data: {\"usage\": null}\n\ndata: [DONE]\n\n") == Usage{4, 0, 1, 0, 0});
}

TEST_CASE("an escaped quote does not make a text into usage") {
  CHECK(read(R"(data: {"text":"{\"usage\":{\"prompt_tokens\":9}}"})"
             "\n\n") == std::nullopt);
}

TEST_CASE("an array is cut at its elements, not at brackets inside strings") {
  const std::string tricky = R"({"text":"}]\\\"{[,\\","more":["}",{"a":"\\\\"}],)";
  CHECK(read("[" + tricky + event(1).substr(1) + ",\r\n" + tricky + event(2).substr(1) + "]") ==
        Usage{2, 0, 0, 0, 0});
  CHECK(read(" [ \"}{\", 7, " + event(1) + "\n,\n" + event(2) + "\n]\n") == Usage{2, 0, 0, 0, 0});
  CHECK(read("[" + event(1) + "," + event(2).substr(0, 50)) == Usage{1, 0, 0, 0, 0});
}

TEST_CASE("an object is one event, known when the answer has ended") {
  StreamUsage reader;
  reader.feed(event(3));
  CHECK(reader.usage() == std::nullopt);
  reader.finish();
  CHECK(reader.usage() == Usage{3, 0, 0, 0, 0});
  reader.finish();
  CHECK(reader.usage() == Usage{3, 0, 0, 0, 0});
}

TEST_CASE("Anthropic's last event completes its first") {
  CHECK(read("event: message_start\n"
             "data: "
             "{\"type\":\"message_start\",\"message\":{\"model\":\"claude\",\"usage\":{\"input_tokens\":25,"
             "\"cache_read_input_tokens\":10,\"cache_creation_input_tokens\":0,\"output_tokens\":1}}}\n\n"
             "event: message_delta\n"
             "data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":15}}\n\n") ==
        Usage{35, 10, 15, 0, 0});
}

TEST_CASE("OpenAI's and Groq's wrapped accounts are found in a stream") {
  CHECK(
      read(
          "data: {\"type\":\"response.completed\",\"response\":{\"error\":null,\"usage\":{\"input_tokens\":3,"
          "\"output_tokens\":4,\"total_tokens\":7}}}\n\n") == Usage{3, 0, 4, 0, 0});
  CHECK(read("data: {\"choices\":[],\"x_groq\":{\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4,"
             "\"total_tokens\":7}}}\n\n") == Usage{3, 0, 4, 0, 0});
}

TEST_CASE("images of a stream add up though its tokens do not") {
  const std::string chunk =
      R"(data: {"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"aQ=="}}]}}],)"
      R"("usageMetadata":{"promptTokenCount":2,"candidatesTokenCount":1290,"totalTokenCount":1292}})"
      "\n\n";
  CHECK(read(chunk + chunk) == Usage{2, 0, 1290, 0, 0, 2});
}

TEST_CASE("an event longer than allowed is skipped, and the next one is read") {
  const std::string text(300, 'x');
  const std::string long_event = R"({"text":")" + text + R"(",)" + event(1).substr(1);
  for (const std::size_t piece : {1, 7, 64, 10000}) {
    CAPTURE(piece);
    const std::string events = "data: " + long_event + "\r\n\r\ndata: " + event(2) + "\r\n\r\n";
    CHECK(fed(events, piece, 200).usage() == Usage{2, 0, 0, 0, 0});
    CHECK(fed("[" + long_event + "," + event(2) + "]", piece, 200).usage() == Usage{2, 0, 0, 0, 0});
    CHECK(fed(long_event, piece, 200).usage() == std::nullopt);
    CHECK(fed("data: " + event(2) + "\n\n: " + text + "\n\n", piece, 200).usage() == Usage{2, 0, 0, 0, 0});
    // Exactly as long as allowed, and one byte more.
    CHECK(fed("data: " + long_event + "\r\n\r\n", piece, long_event.size()).usage() == Usage{1, 0, 0, 0, 0});
    CHECK(fed("data: " + long_event + "\r\n\r\n", piece, long_event.size() - 1).usage() == std::nullopt);
    // Spread over lines.
    CHECK(fed("data: {\"a\":\"" + text + "\",\ndata: " + event(1).substr(1) + "\n\n", piece, 330).usage() ==
          std::nullopt);
  }
}

TEST_CASE("an error inside a stream is kept for error_of") {
  const std::string error =
      R"({"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}})";
  const std::string bytes =
      "data: " + event(2) + "\n\ndata: " + error + "\n\ndata: {\"error\":{\"code\":1}}\n\n";
  CHECK(read(bytes) == Usage{2, 0, 0, 0, 0});
  const StreamUsage reader = fed(bytes, 5);
  CHECK(reader.error() == error);
  REQUIRE(error_of(200, reader.error()));
  CHECK(error_of(200, reader.error())->kind == ErrorKind::overloaded);

  CHECK(fed("data: {\"response\":{\"error\":null}}\n\n", 5).error().empty());
  CHECK(fed("[" + error + "]", 5).error() == error);
  CHECK(fed(error, 5).error() == error);
}

TEST_CASE("what is no answer at all is passed over") {
  for (const std::string body :
       {"", "\n", "\r\n\r\n", "<html>502</html>", "data:", "data: \n\n", "[", "]", "{", "}{", "[}]", "[[[",
        "\"usage\"", "data: \"usage\"\n\n", "data: {\"usage\n\n", "[\"usage", "[\\"}) {
    CAPTURE(body);
    CHECK(read(body) == std::nullopt);
  }
}

}  // namespace weir::provider
