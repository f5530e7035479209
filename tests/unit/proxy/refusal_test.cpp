#include "proxy/refusal.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

namespace weir::proxy::test {

using nlohmann::json;

TEST_CASE("each API is refused in its own form") {
  const json google = json::parse(refusal(Form::google, 503, "a \"reason\"").body);
  CHECK(google ==
        json::parse(R"({"error":{"code":503,"message":"Weir: a \"reason\"","status":"UNAVAILABLE"}})"));
  const json interactions = json::parse(refusal(Form::interactions, 400, "x").body);
  CHECK(interactions == json::parse(R"({"error":{"message":"Weir: x","code":"invalid_request"}})"));
  const json openai = json::parse(refusal(Form::openai, 401, "x").body);
  CHECK(openai == json::parse(R"({"error":{"message":"Weir: x","type":"authentication_error","param":null,
                                  "code":"invalid_api_key"}})"));
  CHECK(refusal(Form::google_openai, 401, "x").body == refusal(Form::openai, 401, "x").body);
  CHECK(json::parse(refusal(Form::openai, 500, "x").body)["error"]["code"].is_null());
}

}  // namespace weir::proxy::test
