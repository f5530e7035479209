#include <doctest/doctest.h>

#include "daemon/text/key_check.hpp"

namespace weir::daemon {
namespace {

const Look kPlain{0, false, false};

KeyCheck of(std::string provider, KeyVerdict verdict) {
  KeyCheck check;
  check.project = "p";
  check.provider = std::move(provider);
  check.verdict = verdict;
  check.url = "https://up/v1/models";
  return check;
}

KeyCheck refused(int status, std::string_view body, KeyVerdict verdict) {
  KeyCheck check = of("gemini", verdict);
  check.status = status;
  check.error = provider::error_of(status, body);
  return check;
}

}  // namespace

TEST_CASE("a good key is told with its models") {
  KeyCheck check = of("gemini", KeyVerdict::good);
  check.models = {"a", "b\x1b"};
  CHECK(render_key_check(check, false, kPlain) == "p: good: gemini takes it and lists 2 models\n");
  CHECK(render_key_check(check, true, kPlain) ==
        "p: good: gemini takes it and lists 2 models\n  a\n  b\\x1b\n");
  const auto json = key_checks_json({check})["keys"][0];
  CHECK(json["verdict"] == "good");
  CHECK(json["trouble"].is_null());
  CHECK(json["models"].size() == 2);
}

TEST_CASE("a refusal is told in our words and in the upstream's") {
  const KeyCheck check = refused(
      400, R"({"error":{"code":400,"message":"API key expired.\nPlease renew","status":"INVALID_ARGUMENT"}})",
      KeyVerdict::bad);
  CHECK(render_key_check(check, true, kPlain) ==
        "p: bad: the key has expired: make a new one (400: API key expired.\\nPlease renew)\n");
  const auto json = key_checks_json({check})["keys"][0];
  CHECK(json["trouble"] == "expired");
  CHECK(json["status"] == 400);
}

TEST_CASE("what says nothing about the key names the address") {
  CHECK(render_key_check(refused(503, "", KeyVerdict::unclear), false, kPlain) ==
        "p: unclear: the provider has trouble of its own, which says nothing about the key: try again later "
        "(503) [https://up/v1/models]\n");
  CHECK(meaning_of(refused(404, "", KeyVerdict::unclear)).find("is base_url right?") != std::string::npos);
  CHECK(meaning_of(refused(429, "", KeyVerdict::unclear)).starts_with("a quota is used up"));
  KeyCheck broken = of("groq", KeyVerdict::unclear);
  broken.problem = "connection refused";
  CHECK(render_key_check(broken, false, kPlain) == "p: unclear: connection refused [https://up/v1/models]\n");
  CHECK(render_key_check(of("groq", KeyVerdict::missing), false, kPlain) ==
        "p: missing: the project has no api_key_file\n");
}

}  // namespace weir::daemon
