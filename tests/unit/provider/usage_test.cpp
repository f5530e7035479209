#include "provider/usage.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <simdjson.h>

#include "provider/stream_usage.hpp"

#include "print.hpp"
#include "upstream_data.hpp"

namespace weir::provider {
namespace {

std::optional<Usage> read(const std::string& json) {
  simdjson::dom::parser parser;
  simdjson::dom::element answer;
  if (parser.parse(json).get(answer) != simdjson::SUCCESS) return std::nullopt;
  return usage_of(answer);
}

std::string model(const std::string& json) {
  simdjson::dom::parser parser;
  return std::string(model_of(parser.parse(json).value()));
}

std::optional<Usage> stream(const std::string& bytes) {
  StreamUsage reader;
  reader.feed(bytes);
  reader.finish();
  return reader.usage();
}

using Expected = std::optional<Usage>;

// In the order input, cached, output, thoughts, tool use.
struct Sample {
  std::string file;
  Expected usage;
  std::string model;
};
const std::vector<Sample> kSamples = {
    {"01-unary-thinking.json", Usage{9, 0, 1, 102, 0}, "gemini-3.5-flash"},
    {"02-sse-text.txt", Usage{9, 0, 1, 105, 0}, ""},
    {"05-unary-tooluse-websearch.json", Usage{29, 0, 9, 160, 0}, "gemini-3.5-flash"},
    {"07-unary-cached-content.json", Usage{3520, 3512, 2, 42, 0}, "gemini-2.5-flash"},
    {"08-cachedContents-create.json", Usage{2010, 0, 0, 0, 0}, "models/gemini-flash-lite-latest"},
    {"09-array-stream.json", Usage{11, 0, 2, 291, 0}, "gemini-3.6-flash"},
    {"10-batchEmbedContents-embedding2.json", Usage{4, 0, 0, 0, 0}, ""},
    {"11-openai-compat-unary.json", Usage{66, 0, 6, 28, 0}, "gemini-2.5-pro-preview-05-06"},
    {"12-openai-compat-stream.txt", Usage{11, 0, 24, 526, 0}, ""},
    {"13-openai-compat-unary-hidden-thinking.json", Usage{11, 0, 25, 691, 0}, ""},
    {"14-interactions-sse-final-events.txt", Usage{11, 0, 90, 245, 0}, ""},
    {"15-countTokens.json", std::nullopt, ""},
};

}  // namespace

TEST_CASE("every recorded answer yields the usage that it states") {
  for (const Sample& sample : kSamples) {
    CAPTURE(sample.file);
    const std::string body = testing::upstream_body("samples", sample.file);
    CHECK(stream(body) == sample.usage);
    if (sample.file.ends_with(".json")) {
      CHECK(read(body) == sample.usage);
      CHECK(model(body) == sample.model);
    }
  }
}

TEST_CASE("the table of samples names every file there is") {
  std::vector<std::string> listed;
  for (const Sample& sample : kSamples) listed.push_back(sample.file);
  CHECK(listed == testing::upstream_files("samples"));
}

TEST_CASE("each form of account is brought to the same terms") {
  struct Form {
    std::string name;
    std::string json;
    Expected usage;
  };
  const std::vector<Form> forms = {
      {"Gemini with tool use",
       R"({"usageMetadata":{"promptTokenCount":20,"toolUsePromptTokenCount":70,"candidatesTokenCount":5,)"
       R"("thoughtsTokenCount":3,"totalTokenCount":98}})",
       Usage{20, 0, 5, 3, 70}},
      {"Gemini with a file: the prompt is only in the total",
       R"({"usageMetadata":{"candidatesTokenCount":10,"thoughtsTokenCount":30,"totalTokenCount":1040}})",
       Usage{1000, 0, 10, 30, 0}},
      {"Gemini without a total",
       R"({"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":2,"toolUsePromptTokenCount":4}})",
       Usage{7, 0, 2, 0, 4}},
      {"Gemini with a total that cannot be: the parts count",
       R"({"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":2,"totalTokenCount":3}})",
       Usage{7, 0, 2, 0, 0}},
      {"a cached part larger than the input is cut to it",
       R"({"usageMetadata":{"promptTokenCount":7,"cachedContentTokenCount":9,"totalTokenCount":7}})",
       Usage{7, 7, 0, 0, 0}},
      {"Live",
       R"({"usageMetadata":{"promptTokenCount":20,"responseTokenCount":30,"thoughtsTokenCount":5,"totalTokenCount":55}})",
       Usage{20, 0, 30, 5, 0}},
      {"Gemini as Google's SDK for Python dumps it",
       R"({"usage_metadata":{"prompt_token_count":9,"candidates_token_count":1,"thoughts_token_count":102,)"
       R"("cached_content_token_count":null,"total_token_count":112}})",
       Usage{9, 0, 1, 102, 0}},
      {"Gemini inside another service's answer",
       R"({"response":{"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9}}})", Usage{9, 0, 0, 0, 0}},
      {"Interactions, unary",
       R"({"id":"v1_x","usage":{"total_tokens":116,"total_input_tokens":11,"total_cached_tokens":4,)"
       R"("total_output_tokens":90,"total_tool_use_tokens":5,"total_thought_tokens":10}})",
       Usage{11, 4, 90, 10, 5}},
      {"OpenAI chat: reasoning is a part of the completion",
       R"({"usage":{"prompt_tokens":10,"completion_tokens":30,"total_tokens":40,)"
       R"("prompt_tokens_details":{"cached_tokens":8},"completion_tokens_details":{"reasoning_tokens":20}}})",
       Usage{10, 8, 10, 20, 0}},
      {"reasoning beside the completion, only in the total",
       R"({"usage":{"prompt_tokens":10,"completion_tokens":30,"total_tokens":60,)"
       R"("completion_tokens_details":{"reasoning_tokens":20}}})",
       Usage{10, 0, 30, 20, 0}},
      {"OpenAI chat with null details",
       R"({"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3,"prompt_tokens_details":null}})",
       Usage{1, 0, 2, 0, 0}},
      {"OpenAI embeddings", R"({"data":[{"embedding":[0.1]}],"usage":{"prompt_tokens":8,"total_tokens":8}})",
       Usage{8, 0, 0, 0, 0}},
      {"embeddings with a total alone", R"({"usage":{"total_tokens":8}})", Usage{8, 0, 0, 0, 0}},
      {"OpenAI responses",
       R"({"usage":{"input_tokens":36,"input_tokens_details":{"cached_tokens":6},"output_tokens":87,)"
       R"("output_tokens_details":{"reasoning_tokens":7},"total_tokens":123}})",
       Usage{36, 6, 80, 7, 0}},
      {"Anthropic: cache reads and writes are input too",
       R"({"usage":{"input_tokens":5,"cache_read_input_tokens":100,"cache_creation_input_tokens":20,)"
       R"("output_tokens":7}})",
       Usage{125, 100, 7, 0, 0}},
      {"chunks in an array: the last that has usage counts, though smaller",
       R"([{"usageMetadata":{"promptTokenCount":50,"totalTokenCount":50}},)"
       R"({"usageMetadata":{"promptTokenCount":7,"totalTokenCount":7}},{"candidates":[]}])",
       Usage{7, 0, 0, 0, 0}},
      {"server-sent events in a string",
       R"("data: {\"usageMetadata\":{\"promptTokenCount\":3,\"totalTokenCount\":3}}\r\n\r\n")",
       Usage{3, 0, 0, 0, 0}},
      {"JSON in a string",
       R"("{\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"total_tokens\":3}}")",
       Usage{1, 0, 2, 0, 0}},
      {"Imagen has images and no tokens",
       R"({"predictions":[{"mimeType":"image/png","bytesBase64Encoded":"aQ=="},{"bytesBase64Encoded":"aQ=="}]})",
       Usage{0, 0, 0, 0, 0, 2}},
      {"OpenAI images", R"({"created":1,"data":[{"b64_json":"aQ=="}]})", Usage{0, 0, 0, 0, 0, 1}},
      {"Gemini's inline images count, not those that it thought of",
       R"({"candidates":[{"content":{"parts":[{"text":"x"},{"thought":true,"inlineData":{"mimeType":"image/png"}},)"
       R"({"inlineData":{"mimeType":"image/png","data":"aQ=="}},{"inlineData":{"mimeType":"audio/wav"}}]}}],)"
       R"("usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":1290,"totalTokenCount":1293}})",
       Usage{3, 0, 1290, 0, 0, 1}},
  };
  for (const Form& form : forms) {
    CAPTURE(form.name);
    CHECK(read(form.json) == form.usage);
    if (form.usage && form.name.find("string") == std::string::npos) CHECK(stream(form.json) == form.usage);
  }
}

TEST_CASE("an account that cannot be read is absent, not zero") {
  const std::vector<std::string> damaged = {
      R"({})",
      R"([])",
      R"(null)",
      R"(17)",
      R"("")",
      R"("usage")",
      R"([null, 1, "x", []])",
      R"({"usage":null})",
      R"({"usage":7})",
      R"({"usage":[]})",
      R"({"usage":{}})",
      R"({"usageMetadata":{}})",
      R"({"usageMetadata":{"serviceTier":"standard"}})",
      R"({"usageMetadata":{"promptTokenCount":-1,"totalTokenCount":5}})",
      R"({"usageMetadata":{"promptTokenCount":1.5,"totalTokenCount":5}})",
      R"({"usageMetadata":{"promptTokenCount":1e3,"totalTokenCount":5}})",
      R"({"usageMetadata":{"promptTokenCount":"5","totalTokenCount":5}})",
      R"({"usageMetadata":{"promptTokenCount":9007199254740993,"totalTokenCount":5}})",
      R"({"usageMetadata":{"promptTokenCount":18446744073709551615,"totalTokenCount":5}})",
      R"({"usageMetadata":{"promptTokenCount":99999999999999999999999,"totalTokenCount":5}})",
      R"({"usageMetadata":{"promptTokenCount":{"a":1}}})",
      R"({"usage":{"prompt_tokens":1,"completion_tokens":-2,"total_tokens":3}})",
      R"({"usage":{"prompt_tokens":1,"completion_tokens_details":{"reasoning_tokens":true}}})",
      R"({"usage":{"input_tokens":true,"output_tokens":3}})",
      R"({"usage":{"total_input_tokens":[],"total_output_tokens":3}})",
      R"({"predictions":[{"bytesBase64Encoded":"x"}],"usageMetadata":{"promptTokenCount":-1}})",
      R"({"totalTokens":12})",
      R"({"candidates":[{"usageMetadata":{"promptTokenCount":1}}]})",
      std::string(5000, '[') + std::string(5000, ']'),
  };
  for (const std::string& json : damaged) {
    CAPTURE(json.substr(0, 100));
    CHECK(read(json) == std::nullopt);
    CHECK(stream(json) == std::nullopt);
  }
}

TEST_CASE("the largest counts are read without overflow, and what no call can use is damaged") {
  CHECK(read(R"({"usageMetadata":{"promptTokenCount":1000000000,"candidatesTokenCount":1000000000,)"
             R"("thoughtsTokenCount":1000000000,"toolUsePromptTokenCount":1000000000}})") ==
        Usage{1'000'000'000, 0, 1'000'000'000, 1'000'000'000, 1'000'000'000});
  for (const char* key :
       {"promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount", "totalTokenCount"}) {
    for (const char* count : {"1000000001", "9007199254740992"}) {
      CAPTURE(key);
      CHECK(read(std::string(R"({"usageMetadata":{")") + key + "\":" + count + "}}") == std::nullopt);
    }
  }
}

TEST_CASE("a total below the sum of its parts is disbelieved, with tool use as without") {
  CHECK(
      read(
          R"({"usageMetadata":{"promptTokenCount":100,"toolUsePromptTokenCount":40,"candidatesTokenCount":10,)"
          R"("totalTokenCount":110}})") == Usage{100, 0, 10, 0, 40});
}

TEST_CASE("a chunk without usage leaves what was known, and a damaged one too") {
  simdjson::dom::parser parser;
  const Usage known{1, 0, 2, 0, 0};
  CHECK(usage_after(known, parser.parse(std::string(R"({"candidates":[]})")).value()) == known);
  CHECK(usage_after(known, parser.parse(std::string(R"({"usage":{"prompt_tokens":-1}})")).value()) == known);
}

TEST_CASE("the model is found wherever the answer names it") {
  CHECK(model(R"({"model":"gpt-4o-2024-08-06"})") == "gpt-4o-2024-08-06");
  CHECK(model(R"([{"x":1},{"modelVersion":"gemini-2.5-pro"}])") == "gemini-2.5-pro");
  CHECK(model(R"({"interaction":{"model":"gemini-3.8-flash"}})") == "gemini-3.8-flash");
  CHECK(model(R"({"model":7})") == "");
  CHECK(model(R"([[{"model":"x"}]])") == "");
  CHECK(model(R"("text")") == "");
}

}  // namespace weir::provider
