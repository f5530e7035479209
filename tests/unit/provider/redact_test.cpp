#include "provider/redact.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "provider/error.hpp"

#include "print.hpp"
#include "upstream_data.hpp"

namespace weir::provider {
namespace {

using testing::quoted;

std::string google(std::string_view message, int code = 429) {
  return R"({"error":{"code":)" + std::to_string(code) + R"(,"message":)" + quoted(std::string(message)) +
         R"(,"status":"RESOURCE_EXHAUSTED"}})";
}

UpstreamError read(std::string_view body, int status = 0, std::string_view header = {}) {
  const auto error = error_of(status, body, header);
  REQUIRE(error);
  return *error;
}

}  // namespace

TEST_CASE("no credential that the upstream quotes comes through") {
  const std::string google_key = "AIzaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q";
  const std::vector<std::string> texts = {
      "Permission denied: Consumer 'api_key:" + google_key + "' has been suspended.",
      "API key " + google_key + " bad",
      "https://host/v1beta/models?key=" + google_key + "&alt=sse",
      "https://host/?key=short1&x=1",
      "Incorrect API key provided: sk-proj-abcDEF123. You can",
      "Authorization: Bearer ya29.a0AfB_short",
      "x-goog-api-key: zzz",
      "(x/" + google_key + "/y)",
      "token Ab1" + std::string(40, 'q'),
  };
  for (const std::string& text : texts) {
    CAPTURE(text);
    for (const std::string& body : {text, google(text, 403), "{\"error\":{\"message\":" + quoted(text)}) {
      const auto error = read(body, 403);
      for (const std::string_view secret : {"AIza", "short", "sk-proj", "abcDEF", "a0AfB", "zzz", "qqqq"}) {
        CHECK(error.message.find(secret) == std::string::npos);
      }
      CHECK(error.message.find("[redacted]") != std::string::npos);
    }
  }
  const auto error = read(R"({"error":{"code":")" + google_key +
                              R"(","message":"x","details":[{"violations":[)" + R"({"quotaId":")" +
                              google_key + R"(","quotaDimensions":{"model":")" + google_key + "\"}}]}]}}",
                          429);
  CHECK(error.code == "[redacted]");
  CHECK(error.violations[0].quota_id == "[redacted]");
  CHECK(error.violations[0].model == "[redacted]");
  // A key across the cut leaves no half of itself.
  CHECK(read(std::string(490, '.') + " " + google_key, 400).message.find("AIza") == std::string::npos);
}

TEST_CASE("messages are cut at 500 bytes, between characters, and are always valid UTF-8") {
  CHECK(read(google(std::string(600, '.'))).message == std::string(500, '.'));
  std::string euros = ".";
  for (int i = 0; i < 300; ++i) euros += "\xE2\x82\xAC";
  CHECK(read(google(euros)).message == euros.substr(0, 499));
  CHECK(read("caf\xE9 \xFF", 500).message == "caf? ?");
}

}  // namespace weir::provider
