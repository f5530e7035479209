#include "provider/request_estimate.hpp"

#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "provider/text_tokens.hpp"

#include "media_samples.hpp"

namespace weir::provider {
namespace {

using testing::base64;

struct Read {
  std::int64_t requests, input_tokens, output_cap, images;
  bool stream, uncertain;
  std::string model;
  bool operator==(const Read&) const = default;
};

Read read(const std::string& body, std::string_view model) {
  simdjson::dom::parser parser;
  const simdjson::padded_string padded(body);
  simdjson::dom::element element;
  REQUIRE(parser.parse(padded).get(element) == simdjson::SUCCESS);
  const RequestEstimate e = estimate_request(element, model);
  return {e.requests, e.input_tokens, e.output_cap, e.images, e.stream, e.uncertain, std::string(e.model)};
}

std::int64_t input(const std::string& body, std::string_view model = "gemini-2.5-flash") {
  return read(body, model).input_tokens;
}

// 100 letters are 20 tokens; a turn's markers are 4.
const std::string kHundred(100, 'a');

std::string with_hundred(std::string body) {
  for (std::size_t at = body.find("TEXT"); at != std::string::npos; at = body.find("TEXT"))
    body.replace(at, 4, kHundred);
  return body;
}

struct Form {
  std::string name;
  std::string body;
  std::string model;
  Read expected;
};

std::vector<Form> forms() {
  std::vector<Form> all = {
      {"generateContent",
       R"({"systemInstruction":{"parts":[{"text":"TEXT"}]},"contents":[{"role":"user","parts":[{"text":"TEXT"},{"text":"TEXT"}]},)"
       R"({"role":"model","parts":[{"text":"TEXT","thoughtSignature":"c2VjcmV0"}]}],)"
       R"("generationConfig":{"maxOutputTokens":2048,"candidateCount":2,"temperature":0.5}})",
       "gemini-2.5-flash",
       {1, 4 * 20 + 3 * 4, 4096, 0, false, false, ""}},
      {"generateContent as protobuf's own names have it",
       R"({"system_instruction":{"parts":{"text":"TEXT"}},"contents":{"parts":[{"text":"TEXT"}]},"generation_config":{"max_output_tokens":5}})",
       "gemini-2.5-flash",
       {1, 2 * 20 + 4, 5, 0, false, false, ""}},
      {"generateContent that answers in images",
       R"({"contents":[{"parts":[{"text":"TEXT"}]}],"generationConfig":{"responseModalities":["TEXT","IMAGE"]}})",
       "gemini-3-pro-preview",
       {1, 20, 0, 1, false, false, ""}},
      {"a model that answers in images by its nature",
       R"({"contents":[{"parts":[{"text":"TEXT"}]}]})",
       "gemini-2.5-flash-image",
       {1, 20, 0, 1, false, false, ""}},
      {"embedContent",
       R"({"model":"models/gemini-embedding-001","content":{"parts":[{"text":"TEXT"}]},"taskType":"RETRIEVAL_QUERY"})",
       "",
       {1, 20, 0, 0, false, false, "models/gemini-embedding-001"}},
      {"batchEmbedContents: each text is a request",
       R"({"requests":[{"model":"models/e","content":{"parts":[{"text":"TEXT"}]}},{"content":{"parts":[{"text":"TEXT"}]}},{"content":{"parts":[{"text":"TEXT"}]}}]})",
       "gemini-embedding-001",
       {3, 60, 0, 0, false, false, ""}},
      {"predict",
       R"({"instances":[{"prompt":"TEXT"}],"parameters":{"sampleCount":3}})",
       "imagen-4.0-generate-001",
       {1, 20, 0, 3, false, false, ""}},
      {"predict that leaves the number to Imagen",
       R"({"instances":[{"prompt":"TEXT"}]})",
       "imagen-4.0-generate-001",
       {1, 20, 0, 4, false, false, ""}},
      {"chat",
       R"({"model":"gemini-2.5-flash","stream":true,"messages":[{"role":"system","content":"TEXT"},{"role":"user","content":[{"type":"text","text":"TEXT"}]}],"max_tokens":300,"n":2})",
       "",
       {1, 2 * 20 + 2 * 4, 600, 0, true, false, "gemini-2.5-flash"}},
      {"chat with the newer cap",
       R"({"model":"gpt-5","messages":[{"role":"user","content":"TEXT"}],"max_completion_tokens":300})",
       "",
       {1, 24, 300, 0, false, false, "gpt-5"}},
      {"responses",
       R"({"model":"gpt-5","instructions":"TEXT","input":[{"role":"user","content":[{"type":"input_text","text":"TEXT"}]}],"max_output_tokens":50,"previous_response_id":"r"})",
       "",
       {1, 2 * 20 + 2 * 4 + 4096, 50, 0, false, true, "gpt-5"}},
      {"embeddings of several texts are one request",
       R"({"model":"text-embedding-3-small","input":["TEXT","TEXT",[1,2,3]]})",
       "",
       {1, 43, 0, 0, false, false, "text-embedding-3-small"}},
      {"images/generations",
       R"({"model":"gpt-image-1","prompt":"TEXT","n":2,"size":"1024x1024"})",
       "",
       {1, 20, 0, 2, false, false, "gpt-image-1"}},
      {"Interactions",
       R"({"model":"gemini-3-flash-preview","input":"TEXT","stream":true,"generation_config":{"max_output_tokens":9}})",
       "",
       {1, 20, 9, 0, true, false, "gemini-3-flash-preview"}},
      {"Interactions with an image beside its type, and an earlier turn",
       R"({"model":"gemini-3-flash-preview","input":[{"type":"text","text":"TEXT"},{"type":"image","data":"AAAA","mime_type":"image/png"}],"previous_interaction_id":"i"})",
       "",
       {1, 20 + 1120 + 4096, 0, 0, false, true, "gemini-3-flash-preview"}},
      {"a cache that is only named",
       R"({"cachedContent":"cachedContents/abc","contents":[{"parts":[{"text":"TEXT"}]}]})",
       "gemini-2.5-flash",
       {1, 20 + 4096, 0, 0, false, true, ""}},
      {"a file that is only named",
       R"({"contents":[{"parts":[{"text":"TEXT"},{"fileData":{"mimeType":"application/pdf","fileUri":"https://x/files/1"}}]}]})",
       "gemini-2.5-flash",
       {1, 20 + 2580, 0, 0, false, true, ""}},
      {"ten seconds of a film of YouTube",
       R"({"contents":[{"parts":[{"fileData":{"fileUri":"https://www.youtube.com/watch?v=1"},"videoMetadata":{"startOffset":"20s","endOffset":"30s"}}]}]})",
       "gemini-2.5-flash",
       {1, 2630, 0, 0, false, false, ""}},
      {"an image by URL in OpenAI's form",
       R"({"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/a.png"}}]}]})",
       "",
       {1, 4 + 765, 0, 0, false, true, "gpt-4o"}},
      {"the same at low detail",
       R"({"model":"gpt-4o","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/a.png","detail":"low"}}]}]})",
       "",
       {1, 4 + 85, 0, 0, false, false, "gpt-4o"}},
      {"nothing known", R"({"speed":3})", "m", {1, 0, 0, 0, false, false, ""}},
      {"no object", R"([1,2,3])", "m", {1, 0, 0, 0, false, false, ""}},
      {"fields of wrong types",
       R"({"contents":7,"messages":{"role":1},"requests":"x","stream":"yes","model":3,"generationConfig":[1],"max_tokens":-5,"n":1e9})",
       "m",
       {1, 5, 0, 0, false, false, ""}},
  };
  for (Form& form : all) form.body = with_hundred(form.body);
  return all;
}

std::string inline_part(const std::string& mime, const std::string& bytes) {
  return R"({"contents":[{"parts":[{"inlineData":{"mimeType":")" + mime + R"(","data":")" + base64(bytes) +
         R"("}}]}]})";
}

}  // namespace

TEST_CASE("each form of request is read as what it is going to use") {
  for (const Form& form : forms()) {
    CAPTURE(form.name);
    const Read got = read(form.body, form.model);
    CHECK(got.requests == form.expected.requests);
    CHECK(got.input_tokens == form.expected.input_tokens);
    CHECK(got.output_cap == form.expected.output_cap);
    CHECK(got.images == form.expected.images);
    CHECK(got.stream == form.expected.stream);
    CHECK(got.uncertain == form.expected.uncertain);
    CHECK(got.model == form.expected.model);
  }
}

TEST_CASE("inline media count by what their headers say") {
  CHECK(input(inline_part("image/png", testing::png(960, 540))) == 6 * 258);
  CHECK(input(inline_part("image/jpeg", testing::jpeg(300, 300, 5000))) == 258);
  CHECK(input(inline_part("image/webp", testing::webp_extended(960, 540)), "gemini-3-pro-preview") == 1120);
  CHECK(input(inline_part("audio/wav", testing::wav(32'000, 64'000))) == 64);
  const std::string url = "data:image/png;base64," + base64(testing::png(1024, 1024));
  const std::string chat =
      R"({"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":")" + url +
      R"("}}]}]})";
  CHECK(read(chat, "gpt-4o") == Read{1, 4 + 765, 0, 0, false, false, ""});
  const std::string sound =
      R"({"messages":[{"role":"user","content":[{"type":"input_audio","input_audio":{"data":")" +
      base64(testing::wav(32'000, 64'000)) + R"(","format":"wav"}}]}]})";
  CHECK(input(sound, "gemini-2.5-flash") == 4 + 64);
}

TEST_CASE("a lower resolution costs less, for all media or for one") {
  const auto body = [](const std::string& part, const std::string& config) {
    return R"({"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"AAAA"})" + part + "}]}]" +
           config + "}";
  };
  const std::string all_low = R"(,"generationConfig":{"mediaResolution":"MEDIA_RESOLUTION_LOW"})";
  const std::string one_high = R"(,"mediaResolution":{"level":"MEDIA_RESOLUTION_HIGH"})";
  CHECK(input(body("", ""), "gemini-3-pro-preview") == 1120);
  CHECK(input(body("", all_low), "gemini-3-pro-preview") == 280);
  CHECK(input(body(one_high, all_low), "gemini-3-pro-preview") == 1120);
}

TEST_CASE("functions, schemas and calls of functions are counted, more than their bare text") {
  const std::string plain = with_hundred(R"({"contents":[{"parts":[{"text":"TEXT"}]}]})");
  const std::string declaration =
      R"({"functionDeclarations":[{"name":"get_weather","description":"Tells the weather of a city.","parameters":)"
      R"({"type":"OBJECT","properties":{"city":{"type":"STRING","description":"Its name"}},"required":["city"]}}]})";
  const std::string with_tools = plain.substr(0, plain.size() - 1) + R"(,"tools":[)" + declaration + "]}";
  const auto flat = static_cast<std::int64_t>(declaration.size()) / 4;
  CHECK(input(with_tools) - input(plain) > flat);
  CHECK(input(with_tools) - input(plain) < 2 * flat);
  const std::string call =
      R"({"contents":[{"parts":[{"functionCall":{"name":"get_weather","args":{"city":"Oslo"}}}]},)"
      R"({"parts":[{"functionResponse":{"name":"get_weather","response":{"degrees":-3,"sky":"clear"}}}]}]})";
  CHECK(input(call) > 20);
  CHECK(input(call) < 60);
  const std::string chat_call =
      R"({"messages":[{"role":"assistant","tool_calls":[{"id":"c1","type":"function","function":{"name":"get_weather","arguments":"{\"city\":\"Oslo\"}"}}]}]})";
  CHECK(input(chat_call, "gpt-5") > 15);
  const std::string schema =
      plain.substr(0, plain.size() - 1) +
      R"(,"generationConfig":{"responseSchema":{"type":"OBJECT","properties":{"answer":{"type":"STRING"}}}}})";
  CHECK(input(schema) > input(plain) + 10);
}

TEST_CASE("every beginning and every changed byte of a body is read without harm") {
  simdjson::dom::parser parser;
  const auto read_well = [&parser](const std::string& text) {
    const simdjson::padded_string padded(text);
    simdjson::dom::element element;
    if (parser.parse(padded).get(element) != simdjson::SUCCESS) return true;
    const RequestEstimate e = estimate_request(element, "gemini-2.5-flash");
    return e.requests >= 1 && e.requests <= 100'000 && e.input_tokens >= 0 &&
           e.input_tokens <= 2'000'000'000'000 && e.output_cap >= 0 && e.output_cap <= 1'000'000'000 &&
           e.images >= 0 && e.images <= 100'000;
  };
  std::vector<std::string> bodies;
  for (const Form& form : forms()) bodies.push_back(form.body);
  bodies.push_back(inline_part("image/png", testing::png(960, 540)));
  bodies.push_back(inline_part("audio/wav", testing::wav(32'000, 100)));
  bodies.push_back(inline_part("application/pdf", "%PDF-1.4 /Type /Page /Type /Pages"));
  for (const std::string& body : bodies) {
    CAPTURE(body);
    for (std::size_t end = 0; end < body.size(); ++end) {
      // Cut off, and closed again as well as can be.
      REQUIRE(read_well(body.substr(0, end)));
      for (const char* closing : {"}", "]}", "}]}", "\"}]}]}", "\"}}]}]}"})
        REQUIRE(read_well(body.substr(0, end) + closing));
    }
    std::string changed = body;
    for (std::size_t at = 0; at < body.size(); ++at) {
      for (const char flip : {'\x01', '\x02', '\x10', '\x80'}) {
        changed[at] = static_cast<char>(body[at] ^ flip);
        REQUIRE(read_well(changed));
      }
      changed[at] = body[at];
    }
  }
}

TEST_CASE("nesting and numbers without end are bounded") {
  std::string deep = "{\"contents\":";
  for (int i = 0; i < 400; ++i) deep += R"({"parts":[)";
  deep += R"({"text":"a"})";
  for (int i = 0; i < 400; ++i) deep += "]}";
  CHECK(input(deep + "}") == 0);
  std::string arguments = R"({"contents":[{"parts":[{"functionCall":)";
  for (int i = 0; i < 400; ++i) arguments += R"({"a":)";
  arguments += "1" + std::string(400, '}') + "}]}]}";
  CHECK(input(arguments) < 300);
  CHECK(read(R"({"generationConfig":{"maxOutputTokens":9007199254740992,"candidateCount":9007199254740992}})",
             "m")
            .output_cap == 1'000'000'000);
  CHECK(read(R"({"instances":[{},{}],"parameters":{"sampleCount":9007199254740992}})", "imagen-4").images ==
        100'000);
}

}  // namespace weir::provider
