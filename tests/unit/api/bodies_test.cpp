#include "api/bodies.hpp"

#include <string>

#include <doctest/doctest.h>

namespace weir::api {
namespace {

struct Wrong {
  std::string body;
  std::string pointer;
  std::string detail;  // a part of it
};

template <class Read>
Errors errors_of(const std::string& body, Read read) {
  simdjson::dom::parser parser;
  Errors errors;
  read(parser.parse(simdjson::padded_string(body)).value(), errors);
  return errors;
}

void check(const std::vector<Wrong>& table, auto read) {
  for (const Wrong& wrong : table) {
    CAPTURE(wrong.body);
    const Errors errors = errors_of(wrong.body, read);
    REQUIRE(errors.size() == 1);
    CHECK(errors[0].pointer == wrong.pointer);
    CHECK(errors[0].detail.find(wrong.detail) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("each wrong field of an admission is told with its pointer") {
  check({{R"([])", "", "an object"},
         {R"({})", "/model", "required"},
         {R"({"model":1})", "/model", "not a number"},
         {R"({"model":""})", "/model", "empty"},
         {R"({"model":"a\u0007"})", "/model", "control"},
         {R"({"model":"m","input_tokens":"many"})", "/input_tokens", "not a string"},
         {R"({"model":"m","input_tokens":-1})", "/input_tokens", "0 to"},
         {R"({"model":"m","input_tokens":1.5})", "/input_tokens", "whole"},
         {R"({"model":"m","input_tokens":1e30})", "/input_tokens", "whole"},
         {R"({"model":"m","requests":0})", "/requests", "1 to"},
         {R"({"model":"m","wait_s":true})", "/wait_s", "not a boolean"},
         {R"({"model":"m","wait_s":61})", "/wait_s", "max_wait_s"},
         {R"({"model":"m","lease_s":0})", "/lease_s", "3600"},
         {R"({"model":"m","priority":"hihg"})", "/priority", "did you mean \"high\"?"},
         {R"({"model":"m","priority":3})", "/priority", "not a number"},
         {R"({"model":"m","wait":3})", "/wait", "did you mean \"wait_s\"?"},
         {R"({"model":"m","body":"{}"})", "/body", "must be an object, not a string"},
         {R"({"body":{"contents":[]}})", "/model", "required"},
         {R"({"body":{"model":"a\u0007"}})", "/body/model", "control"},
         {R"({"model":"m","a/b~c":3})", "/a~1b~0c", "unknown field"}},
        [](simdjson::dom::element body, Errors& errors) {
          read_admission(body, std::chrono::seconds(60), errors);
        });
}

TEST_CASE("each wrong field of a settlement is told with its pointer") {
  check({{R"({"status":99})", "/status", "100 to 599"},
         {R"({"usage":[]})", "/usage", "not an array"},
         {R"({"usage":{"input_tokens":"1"}})", "/usage/input_tokens", "not a string"},
         {R"({"usage":{"inputtokens":1}})", "/usage/inputtokens", "input_tokens"},
         {R"({"usage":{"input_tokens":1,"cached_input_tokens":2}})", "/usage/cached_input_tokens", "part"},
         {R"({"usage":{"input_tokens":1,"total_tokens":5}})", "/usage/total_tokens", "make 1"},
         {R"({"upstream":{"status":"200"}})", "/upstream/status", "not a string"},
         {R"({"upstream":{"headers":[]}})", "/upstream/headers", "not an array"},
         {R"({"latency_s":-1})", "/latency_s", "0 to"},
         {R"({"sent_at":"yesterday"})", "/sent_at", "RFC 3339"},
         {R"({"sentat":"2026-11-22"})", "/sentat", "sent_at"}},
        [](simdjson::dom::element body, Errors& errors) { read_settlement(body, errors); });
}

TEST_CASE("the upstream request's body stands in for what is not stated") {
  simdjson::dom::parser parser;
  const auto read = [&parser](const std::string& text) {
    Errors errors;
    const simdjson::padded_string padded(text);
    AdmissionBody body = read_admission(parser.parse(padded).value(), std::chrono::seconds(60), errors);
    CHECK(errors.empty());
    return body;
  };
  const std::string request =
      R"("body":{"model":"models/embed-1","requests":[{"content":{"parts":[{"text":"aaaaa"}]}},)"
      R"({"content":{"parts":[{"text":"aaaaa"}]}}],"generationConfig":{"maxOutputTokens":9}})";
  const AdmissionBody all = read("{" + request + "}");
  CHECK(all.model == "embed-1");
  CHECK(all.want == Amounts{2, 0, 0, 0, 0});
  CHECK(all.guess.input == 2);
  CHECK(all.guess.output == 9);
  CHECK_FALSE(all.guess.uncertain);

  const AdmissionBody stated =
      read(R"({"model":"m","input_tokens":0,"output_tokens":3,"requests":5,"images":1,)" + request + "}");
  CHECK(stated.model == "m");
  CHECK(stated.want == Amounts{5, 0, 3, 1, 0});
  CHECK(stated.guess.input == 0);
  CHECK(stated.guess.output == 0);

  const AdmissionBody empty = read(R"({"model":"m","body":{}})");
  CHECK(empty.want == Amounts{});
  CHECK(empty.guess.input == 1);
}

TEST_CASE("null counts as absent, and defaults hold") {
  simdjson::dom::parser parser;
  Errors errors;
  const simdjson::padded_string text(std::string(R"({"model":"m","consumer":null,"input_tokens":null})"));
  const AdmissionBody body = read_admission(parser.parse(text).value(), std::chrono::seconds(60), errors);
  CHECK(errors.empty());
  CHECK(body.project == "default");
  CHECK(body.consumer.empty());
  CHECK(body.want == Amounts{});
  CHECK(body.lease == std::chrono::seconds(120));
}

TEST_CASE("an upstream answer gives status, usage and error; an explicit usage goes before it") {
  simdjson::dom::parser parser;
  const auto read = [&](const std::string& text) {
    Errors errors;
    const simdjson::padded_string padded(text);
    const admission::Settlement settlement = read_settlement(parser.parse(padded).value(), errors);
    CHECK(errors.empty());
    return settlement;
  };
  const auto good = read(
      R"({"upstream":{"status":200,"body":{"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9}}}})");
  CHECK(good.status == 200);
  CHECK(good.usage->input_tokens == 9);
  CHECK_FALSE(good.error);
  const auto both = read(
      R"({"usage":{"input_tokens":7},"upstream":{"status":200,"body":{"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9}}}})");
  CHECK(both.usage->input_tokens == 7);
  const auto refused = read(
      R"({"upstream":{"headers":{"Retry-After":"7"},"body":{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"x"}}}})");
  CHECK(refused.status == 429);
  REQUIRE(refused.error);
  CHECK(refused.error->retry_after == std::chrono::seconds(7));
  const auto bare = read(R"({"upstream":{"status":503}})");
  CHECK(bare.status == 503);
}

}  // namespace weir::api
