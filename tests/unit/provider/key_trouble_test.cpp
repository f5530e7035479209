#include "provider/key_trouble.hpp"

#include <string>

#include <doctest/doctest.h>

#include "upstream_data.hpp"

namespace weir::provider {
namespace {

KeyTrouble of(int status, const std::string& body) {
  return key_trouble(error_of(status, body).value());
}

KeyTrouble of_recorded(int status, const std::string& name) {
  return of(status, testing::upstream_body("errors", name));
}

}  // namespace

TEST_CASE("recorded refusals say what is wrong with the key") {
  CHECK(of_recorded(400, "10-400-api-key-invalid.json") == KeyTrouble::invalid);
  CHECK(of_recorded(400, "29-400-api-key-not-found.json") == KeyTrouble::invalid);
  CHECK(of_recorded(400, "28-400-api-key-expired.json") == KeyTrouble::expired);
  CHECK(of_recorded(403, "25-403-key-leaked.json") == KeyTrouble::leaked);
  CHECK(of_recorded(403, "29b-403-http-referrer-blocked.json") == KeyTrouble::restricted);
  CHECK(of_recorded(403, "24-403-service-disabled.json") == KeyTrouble::service_disabled);
  CHECK(of_recorded(403, "26-403-consumer-suspended.json") == KeyTrouble::suspended);
  CHECK(of_recorded(429, "15-429-prepay-depleted.json") == KeyTrouble::no_credit);
}

TEST_CASE("what is refused for another reason says nothing about the key") {
  for (const char* name : {"02-429-free-rpm.json", "13-429-bare-no-details.json", "22-503-overloaded.json",
                           "11-403-cachedcontent-not-found.json", "12-404-model-not-found.json",
                           "31-500-internal.json", "16-429-spend-based.json"}) {
    CAPTURE(name);
    CHECK(of_recorded(0, name) == KeyTrouble::none);
  }
  CHECK(of(400, R"({"error":{"code":400,"message":"Invalid JSON payload"}})") == KeyTrouble::none);
}

TEST_CASE("other providers") {
  CHECK(of(401, R"({"error":{"message":"Incorrect API key provided: sk-1***9.",
                            "type":"invalid_request_error","code":"invalid_api_key"}})") ==
        KeyTrouble::invalid);
  CHECK(of(401, R"({"error":{"message":"User not found.","code":401}})") == KeyTrouble::invalid);
  CHECK(of(402, R"({"error":{"message":"Insufficient credits","code":402}})") == KeyTrouble::no_credit);
  CHECK(of(403, R"({"error":{"message":"Country, region, or territory not supported",
                            "code":"unsupported_country_region_territory"}})") == KeyTrouble::location);
  CHECK(of(400, R"({"error":{"code":400,"message":"User location is not supported for the API use.",
                            "status":"FAILED_PRECONDITION"}})") == KeyTrouble::location);
  CHECK(of(403, R"({"error":{"message":"The caller does not have permission","code":403}})") ==
        KeyTrouble::no_permission);
  CHECK(of(401, "Unauthorized") == KeyTrouble::invalid);
}

}  // namespace weir::provider
