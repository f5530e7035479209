#include "proxy/target.hpp"

#include <doctest/doctest.h>

namespace weir::proxy::test {

TEST_CASE("a target is a name and a path") {
  const auto target = parse_target("/proxy/team-a/v1beta/models", "x=1");
  REQUIRE(target);
  CHECK(target->name == "team-a");
  CHECK(target->path == "/v1beta/models");
  CHECK(target->query == "x=1");
  CHECK(parse_target("/proxy/a", "")->path == "/");
  CHECK(!parse_target("/proxy/", ""));
  for (const char* path : {"/proxy/a/../b", "/proxy/a/%2e%2E/b", "/proxy/a/.", "/proxy/a/b\\c",
                           "/proxy/a/%0d%0a", "/proxy/a/%00", "/proxy/a/%zz", "/proxy/a/x%2f..%2fy"}) {
    CAPTURE(path);
    CHECK(!parse_target(path, ""));
  }
  CHECK(parse_target("/proxy/a/..b/c..", ""));
  CHECK(!parse_target("/proxy/a/v1/chat/completions#/x", ""));
  CHECK(!parse_target("/proxy/a/v1/realtime", "model=dear#&model=cheap"));
  CHECK(parse_target("/proxy/a/b%23c", "d=%23"));
}

TEST_CASE("what Gemini counts is metered, and nothing else") {
  struct Case {
    const char* path;
    const char* model;
  };
  for (const auto& [path, model] :
       {Case{"/v1beta/models/gemini-2.5-flash:generateContent", "gemini-2.5-flash"},
        Case{"/v1/models/m:streamGenerateContent", "m"}, Case{"/v1alpha/models/m:embedContent", "m"},
        Case{"/v1beta/models/m:batchEmbedContents", "m"}, Case{"/v1beta/models/m:predict", "m"},
        Case{"/v1beta/models/m:predictLongRunning", "m"}, Case{"/v1beta/models/m%3AgenerateContent", "m"},
        Case{"//v1beta/models//m:predict", "m"}}) {
    CAPTURE(path);
    const Operation operation = operation_of("gemini", path, true);
    CHECK(operation.metered);
    CHECK(operation.model_in_path);
    CHECK(operation.model == model);
    CHECK(operation.form == Form::google);
    CHECK(!operation_of("gemini", path, false).metered);
  }
  for (const char* path : {"/v1beta/interactions", "/v1beta/openai/chat/completions",
                           "/v1beta/openai/embeddings", "/v1/openai/images/generations"}) {
    CAPTURE(path);
    const Operation operation = operation_of("gemini", path, true);
    CHECK(operation.metered);
    CHECK(!operation.model_in_path);
    CHECK(operation.form == (std::string_view(path).find("openai") == std::string_view::npos
                                 ? Form::interactions
                                 : Form::google_openai));
  }
  for (const char* path : {"/", "/v1beta/models", "/v1beta/models/m", "/v1beta/models/m:countTokens",
                           "/v1beta/models/:generateContent", "/v1beta/files", "/upload/v1beta/files",
                           "/v1beta/cachedContents", "/v1beta/interactions/x", "/v1beta/openai/models",
                           "/v1beta/models/m:generateContent/operations/x", "/v1beta/batches"}) {
    CAPTURE(path);
    CHECK(!operation_of("gemini", path, true).metered);
  }
}

TEST_CASE("a path is made for another model") {
  const Operation operation = operation_of("gemini", "/v1beta/models/a:streamGenerateContent", true);
  CHECK(operation.path_for("b") == "/v1beta/models/b:streamGenerateContent");
}

TEST_CASE("what OpenAI-compatible upstreams count is metered, wherever the base URL ends") {
  for (const char* path : {"/v1/chat/completions", "/chat/completions", "/openai/v1/chat/completions",
                           "/v1/responses", "/v1/embeddings", "/v1/completions", "/v1/images/generations"}) {
    CAPTURE(path);
    CHECK(operation_of("openai", path, true).metered);
    CHECK(operation_of("groq", path, true).form == Form::openai);
    CHECK(!operation_of("openrouter", path, false).metered);
  }
  for (const char* path : {"/v1/models", "/v1/files", "/v1/responses/r_1/cancel", "/v1/generations"}) {
    CAPTURE(path);
    CHECK(!operation_of("openai", path, true).metered);
  }
}

TEST_CASE("sessions are metered, however their path is written; a model may stand in the query") {
  for (const char* path :
       {"/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent",
        "//ws/google.ai.generativelanguage.v1alpha.GenerativeService.BidiGenerateContentConstrained",
        "/%77s/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateMusic"}) {
    CAPTURE(path);
    const Operation operation = session_of("gemini", path, "model=x");
    CHECK(operation.session);
    CHECK(operation.metered);
    CHECK(operation.form == Form::google);
    CHECK(operation.model.empty());
  }
  CHECK(!session_of("gemini", "/v1beta/models", "").metered);
  const Operation realtime = session_of("openai", "/v1/realtime", "a=1&model=gpt-realtime");
  CHECK(realtime.metered);
  CHECK(realtime.form == Form::openai);
  CHECK(realtime.model == "gpt-realtime");
  CHECK(!realtime.two_models);
  CHECK(session_of("openai", "/v1/realtime", "model=cheap&%6dodel=dear").two_models);
  CHECK(session_of("openai", "/v1/realtime", "model&model=dear").two_models);
  CHECK(!realtime.model_in_messages);
  CHECK(session_of("openai", "/openai/v1/responses", "").metered);
  CHECK(session_of("openai", "/v1/responses", "model=cheap").model_in_messages);
  CHECK(!session_of("openai", "/v1/models", "").metered);
  CHECK(with_model_parameter("a=1&model=x&b=%20", "y") == "a=1&model=y&b=%20");
}

TEST_CASE("the caller's key is taken out of the query, however it is written") {
  const Query query = without_key("alt=sse&key=a%2Bb&x=%20&%6bEy=1&%6bey=2&key");
  CHECK(query.rest == "alt=sse&x=%20&%6bEy=1");
  CHECK(query.key == "a+b");
  CHECK(without_key("key=1").rest.empty());
  CHECK(without_key("access_token=t&a=1").rest == "a=1");
  CHECK(without_key("access_token=t&a=1").key == "t");
  CHECK(without_key("").key.empty());
}

TEST_CASE("a URL on the project's own origin leads back here") {
  const auto base = upstream::parse_base_url("https://up.example/v1").value();
  const auto here = [&](std::string_view url) { return path_here(url, "p", base).value_or("elsewhere"); };
  CHECK(here("https://up.example/v1/files/7") == "/proxy/p/files/7");
  CHECK(here("https://UP.Example/v1/files/F") == "/proxy/p/files/F");
  CHECK(here("HTTPS://up.example:443/v1?a=1&key=secret") == "/proxy/p?a=1");
  CHECK(here("https://up.example/v1beta/x") == "/proxy/p/v1beta/x");
  CHECK(here("https://up.example/v1#x") == "/proxy/p#x");
  CHECK(here("https://up.example") == "/proxy/p");
  CHECK(here("/v1/files/7?key=secret&u=1") == "/proxy/p/files/7?u=1");
  CHECK(here("/files/7") == "/proxy/p/files/7");
  for (const char* url : {"https://other.example/v1/x", "http://up.example/v1/x", "//up.example/v1/x",
                          "files/7", "?page=2", "", "mailto:a@up.example"}) {
    CAPTURE(url);
    CHECK(here(url) == "elsewhere");
  }
}

TEST_CASE("a base path and a path are joined, and a version is not doubled") {
  CHECK(join_paths("", "/v1/models") == "/v1/models");
  CHECK(join_paths("/openai/v1", "/v1/chat/completions") == "/openai/v1/chat/completions");
  CHECK(join_paths("/openai/v1", "/chat/completions") == "/openai/v1/chat/completions");
  CHECK(join_paths("/openai", "/v1/models") == "/openai/v1/models");
  CHECK(join_paths("/v1", "/v1beta") == "/v1/v1beta");
  CHECK(join_paths("/v1", "/v1") == "/v1");
}

}  // namespace weir::proxy::test
