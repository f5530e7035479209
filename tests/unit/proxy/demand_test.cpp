#include "proxy/demand.hpp"

#include <doctest/doctest.h>

namespace weir::proxy::test {
namespace {

Demand demand(std::string_view path, std::string body, std::string_view encoding = "") {
  simdjson::dom::parser parser;
  return demand_of(operation_of("gemini", path, true), body, encoding, parser);
}

constexpr auto kChat = "/v1beta/openai/chat/completions";
constexpr auto kGenerate = "/v1beta/models/m:generateContent";

}  // namespace

TEST_CASE("the model is the path's, else the body's") {
  CHECK(demand(kGenerate, R"({"model":"other"})").model == "m");
  CHECK(demand(kChat, R"({"model":"a","messages":[]})").model == "a");
  CHECK(demand(kChat, R"({"model":"models/a"})").model == "a");
  CHECK(demand("/v1beta/interactions", R"({"agent":"deep"})").model == "deep");
  CHECK(demand(kChat, R"({"messages":[]})").model.empty());
  CHECK(demand(kChat, R"({"messages":[]})").problem.empty());
}

TEST_CASE("a body that cannot be read is a problem only if it has to name the model") {
  CHECK(demand(kChat, "{").problem.find("not valid JSON") != std::string_view::npos);
  CHECK(demand(kChat, R"({"model":"a"})", "gzip").problem.find("encoded") != std::string_view::npos);
  const Demand unread = demand(kGenerate, std::string(4000, 'x'));
  CHECK(unread.problem.empty());
  CHECK(unread.guess.input == 1000);
  CHECK(unread.guess.uncertain);
  CHECK(demand(kGenerate, "{}", "br").problem.empty());
  CHECK(guess_by_size(0).input == 1);
}

TEST_CASE("two models are a problem, since upstream may take the other one") {
  CHECK(demand(kChat, R"({"model":"cheap","x":{"model":"y"},"model":"dear"})").problem.find("twice") !=
        std::string_view::npos);
  CHECK(demand(kChat, R"({"model":"a","x":{"model":"y"}})").problem.empty());
  CHECK(demand(kGenerate, R"({"model":"a","model":"b"})").problem.empty());
}

}  // namespace weir::proxy::test
