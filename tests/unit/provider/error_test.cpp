#include "provider/error.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <simdjson.h>

#include "print.hpp"
#include "upstream_data.hpp"

namespace weir::provider {
namespace {

using namespace std::chrono_literals;
using testing::quoted;

constexpr std::string_view kFreeRequests =
    "generativelanguage.googleapis.com/generate_content_free_tier_requests";
constexpr std::string_view kFreeInput =
    "generativelanguage.googleapis.com/generate_content_free_tier_input_token_count";
constexpr std::string_view kFreeDay = "GenerateRequestsPerDayPerProjectPerModel-FreeTier";
constexpr std::string_view kFreeMinute = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier";

using Amount = std::optional<std::int64_t>;

QuotaViolation violation(std::string_view id, std::string_view metric_name, std::string_view model,
                         Metric metric, QuotaPeriod period, bool free_tier, Amount amount, Amount used = {}) {
  return {
      std::string(id), std::string(metric_name), std::string(model), metric, period, free_tier, amount, used};
}

QuotaViolation free_requests(std::string_view id, std::string_view model, QuotaPeriod period,
                             std::int64_t amount) {
  return violation(id, kFreeRequests, model, Metric::requests, period, true, amount);
}

struct Expected {
  std::string file;
  int status;  // as the body says
  ErrorKind kind;
  std::string code;
  std::optional<Micros> retry_after;
  std::vector<QuotaViolation> violations;
};

const std::vector<Expected> kErrors = {
    {"01-429-free-rpd-misleading-short-hint.json",
     429,
     ErrorKind::quota,
     "RESOURCE_EXHAUSTED",
     21'497'994us,
     {free_requests(kFreeDay, "gemini-3.5-flash-lite", QuotaPeriod::day, 500)}},
    {"01b-429-free-rpd-flash-lite-20.json",
     429,
     ErrorKind::quota,
     "RESOURCE_EXHAUSTED",
     41'065'029us,
     {free_requests(kFreeDay, "gemini-2.5-flash-lite", QuotaPeriod::day, 20)}},
    {"02-429-free-rpm.json",
     429,
     ErrorKind::quota,
     "RESOURCE_EXHAUSTED",
     58'217'843us,
     {free_requests(kFreeMinute, "gemini-3-flash", QuotaPeriod::minute, 5)}},
    {"03-429-free-rpd-truncated-by-logger.json",
     429,
     ErrorKind::quota,
     "RESOURCE_EXHAUSTED",
     36'429'760us,
     {free_requests(kFreeDay, "gemini-3.6-flash", QuotaPeriod::day, 20)}},
    {"04-429-free-input-tpm.json",
     429,
     ErrorKind::quota,
     "RESOURCE_EXHAUSTED",
     26s,
     {violation("GenerateContentInputTokensPerModelPerMinute-FreeTier", kFreeInput, "gemini-2.5-flash",
                Metric::input_tokens, QuotaPeriod::minute, true, 250000)}},
    {"07-429-paid-rpd-image.json",
     429,
     ErrorKind::quota,
     "RESOURCE_EXHAUSTED",
     72'193'257'629us,
     {violation("GenerateRequestsPerDayPerProjectPerModel",
                "generativelanguage.googleapis.com/generate_requests_per_model_per_day",
                "gemini-3.1-flash-lite-image", Metric::requests, QuotaPeriod::day, false, 1000)}},
    {"09-429-limit-0-not-on-free-tier.json",
     429,
     ErrorKind::quota,
     "RESOURCE_EXHAUSTED",
     55'179'000us,
     {free_requests(kFreeDay, "gemini-2.0-flash", QuotaPeriod::day, 0),
      free_requests(kFreeMinute, "gemini-2.0-flash", QuotaPeriod::minute, 0),
      violation("GenerateContentInputTokensPerModelPerMinute-FreeTier", kFreeInput, "gemini-2.0-flash",
                Metric::input_tokens, QuotaPeriod::minute, true, 0)}},
    {"10-400-api-key-invalid.json", 400, ErrorKind::auth, "INVALID_ARGUMENT", {}, {}},
    {"11-403-cachedcontent-not-found.json", 403, ErrorKind::bad_request, "PERMISSION_DENIED", {}, {}},
    {"12-404-model-not-found.json", 404, ErrorKind::bad_request, "NOT_FOUND", {}, {}},
    {"13-429-bare-no-details.json", 429, ErrorKind::unnamed_429, "RESOURCE_EXHAUSTED", {}, {}},
    {"15-429-prepay-depleted.json", 429, ErrorKind::credits, "RESOURCE_EXHAUSTED", {}, {}},
    {"16-429-spend-based.json", 429, ErrorKind::spend, "RESOURCE_EXHAUSTED", {}, {}},
    {"18-429-region-quota-limit-0-admin-block.json",
     429,
     ErrorKind::quota,
     "RESOURCE_EXHAUSTED",
     {},
     {violation("GenerateContentRequestsPerMinutePerProjectPerRegion",
                "generativelanguage.googleapis.com/generate_content_requests", "", Metric::requests,
                QuotaPeriod::minute, false, 0)}},
    {"19-429-embed-rpm.json",
     429,
     ErrorKind::quota,
     "RESOURCE_EXHAUSTED",
     37'411'097us,
     {violation("EmbedContentRequestsPerMinutePerUserPerProjectPerModel-FreeTier",
                "generativelanguage.googleapis.com/embed_content_free_tier_requests", "gemini-embedding-2",
                Metric::requests, QuotaPeriod::minute, true, 100)}},
    {"20-429-openai-compat-array-wrapped.json",
     429,
     ErrorKind::quota,
     "RESOURCE_EXHAUSTED",
     38'631'840us,
     {free_requests(kFreeDay, "gemini-2.5-flash", QuotaPeriod::day, 20)}},
    {"22-503-overloaded.json", 503, ErrorKind::overloaded, "UNAVAILABLE", {}, {}},
    {"23-503-high-demand.json", 503, ErrorKind::overloaded, "UNAVAILABLE", {}, {}},
    {"24-403-service-disabled.json", 403, ErrorKind::auth, "PERMISSION_DENIED", {}, {}},
    {"25-403-key-leaked.json", 403, ErrorKind::auth, "PERMISSION_DENIED", {}, {}},
    {"26-403-consumer-suspended.json", 403, ErrorKind::auth, "PERMISSION_DENIED", {}, {}},
    {"28-400-api-key-expired.json", 400, ErrorKind::auth, "INVALID_ARGUMENT", {}, {}},
    {"29-400-api-key-not-found.json", 400, ErrorKind::auth, "INVALID_ARGUMENT", {}, {}},
    {"29b-403-http-referrer-blocked.json", 403, ErrorKind::auth, "PERMISSION_DENIED", {}, {}},
    {"31-500-internal.json", 500, ErrorKind::server, "INTERNAL", {}, {}},
    {"32-429-2025-debuginfo-paid-input-tpm.json",
     429,
     ErrorKind::quota,
     "RESOURCE_EXHAUSTED",
     40'025'771us,
     {violation("GenerateContentPaidTierInputTokensPerModelPerMinute",
                "generativelanguage.googleapis.com/generate_content_paid_tier_input_token_count",
                "gemini-2.5-pro", Metric::input_tokens, QuotaPeriod::minute, false, 10000)}},
    {"35-429-cached-content-storage-limit-0.json", 429, ErrorKind::bad_request, "RESOURCE_EXHAUSTED", {}, {}},
    {"40-openai-429.json",
     429,
     ErrorKind::quota,
     "rate_limit_exceeded",
     1'780'000us,
     {violation("", "tokens per min (TPM)", "gpt-4o", Metric::total_tokens, QuotaPeriod::minute, false, 30000,
                30000)}},
    {"42-anthropic-429.json", 429, ErrorKind::unnamed_429, "rate_limit_error", {}, {}},
    {"43-openrouter-429-upstream.json", 429, ErrorKind::unnamed_429, "", {}, {}},
    {"44-openrouter-429-platform.json", 429, ErrorKind::unnamed_429, "rate_limit_exceeded", {}, {}},
};

void check(const std::optional<UpstreamError>& error, const Expected& expected) {
  REQUIRE(error);
  CHECK(error->status == expected.status);
  CHECK(error->kind == expected.kind);
  CHECK(error->code == expected.code);
  CHECK(error->retry_after == expected.retry_after);
  CHECK(error->violations == expected.violations);
  CHECK(error->message.size() <= 500);
  CHECK_FALSE(error->message.empty());
}

UpstreamError read(std::string_view body, int status = 0, std::string_view header = {}) {
  const auto error = error_of(status, body, header);
  REQUIRE(error);
  return *error;
}

}  // namespace

TEST_CASE("every recorded refusal is understood, whatever it is wrapped in") {
  for (const Expected& expected : kErrors) {
    CAPTURE(expected.file);
    const std::string body = testing::upstream_body("errors", expected.file);
    check(error_of(0, body), expected);
    check(error_of(expected.status, body), expected);
    check(error_of(200, body), expected);

    simdjson::dom::parser parser;
    check(error_of(0, parser.parse(body).value()), expected);

    if (!body.starts_with('[')) check(error_of(0, "[" + body + "]"), expected);
    check(error_of(0, quoted(body)), expected);
    check(error_of(0, "ApiError: got status 429 Too Many Requests. " + body + "\n"), expected);
    check(error_of(0, "data: " + body + "\n\n"), expected);
    check(error_of(0, R"({"error":{"message":)" + quoted(body) + R"(,"code":)" +
                          std::to_string(expected.status) + R"(,"status":"Too Many Requests"}})"),
          expected);
  }
}

TEST_CASE("the table of errors names every file there is") {
  std::vector<std::string> listed;
  for (const Expected& expected : kErrors) listed.push_back(expected.file);
  std::sort(listed.begin(), listed.end());
  CHECK(listed == testing::upstream_files("errors"));
}

TEST_CASE("the HTTP status as given outranks the body's, unless it is no error's") {
  const std::string body = testing::upstream_body("errors", "22-503-overloaded.json");
  CHECK(read(body, 500).status == 500);
  CHECK(read(body, 200).status == 503);
  CHECK(read("upstream connect error", 502).status == 502);
  CHECK(read("upstream connect error", 502).kind == ErrorKind::server);
  CHECK(read("", 503).kind == ErrorKind::overloaded);
  CHECK(read("", 429).kind == ErrorKind::unnamed_429);
  CHECK(read("", 401).kind == ErrorKind::auth);
  CHECK(read("", 402).kind == ErrorKind::credits);
  CHECK(read("", 403).kind == ErrorKind::bad_request);
  CHECK(read("", 529).kind == ErrorKind::overloaded);
}

TEST_CASE("an answer that holds no error is none") {
  CHECK_FALSE(error_of(200, R"({"candidates":[]})"));
  CHECK_FALSE(error_of(0, R"({"error":null,"usage":{}})"));
  CHECK_FALSE(error_of(0, ""));
  CHECK_FALSE(error_of(0, "plain text: limit: 20"));
  CHECK_FALSE(
      error_of(200, R"({"model":"x","choices":[{"message":{"content":"{\"error\":{\"code\":429}}"}}]})"));
  CHECK_FALSE(error_of(200, R"({"code":200,"message":"fine"})"));
}

TEST_CASE("four violations at once keep their order, minute and day mixed") {
  std::string items;
  for (const std::string_view id : {kFreeDay, kFreeMinute, kFreeDay, kFreeMinute}) {
    if (!items.empty()) items += ",";
    items += R"({"quotaId":")" + std::string(id) + R"(","quotaMetric":"m","quotaValue":15})";
  }
  const auto error = read(R"({"error":{"code":429,"details":[{"violations":[)" + items + "]}]}}");
  REQUIRE(error.violations.size() == 4);
  CHECK(error.violations[0].period == QuotaPeriod::day);
  CHECK(error.violations[3].period == QuotaPeriod::minute);
  CHECK(error.violations[3].amount == 15);
}

TEST_CASE("a size that is absent is 0 only if the text says so for that metric") {
  const auto body = [](const std::string& message) {
    return R"({"error":{"code":429,"message":")" + message +
           R"(","details":[{"violations":[{"quotaId":"GenerateRequestsPerDay","quotaMetric":"x/requests"},)"
           R"({"quotaId":"RequestsPerMinute","quotaMetric":"x/requests","quotaValue":"20"}]}]}})";
  };
  const auto line = [](const std::string& metric, const std::string& limit) {
    return "* Quota exceeded for metric: " + metric + ", limit: " + limit + ", model: m\\n";
  };
  CHECK(read(body(line("x/requests", "20") + line("x/requests", "0"))).violations[0].amount == 0);
  CHECK(read(body(line("x/requests", "20") + line("x/requests", "0"))).violations[1].amount == 20);
  CHECK(read(body(line("x/tokens", "0"))).violations[0].amount == std::nullopt);
  CHECK(read(body(line("x/requests", "7"))).violations[0].amount == 7);
  CHECK(read(body(line("x/requests", "7") + line("x/requests", "8"))).violations[0].amount == std::nullopt);
  CHECK(read(body("no numbers")).violations[0].amount == std::nullopt);
}

TEST_CASE("details spoiled by a logger leave what the text says") {
  for (const std::string details :
       {R"("[MaxDepth]")", R"(["[Object]","[Object]"])", R"([{"violations":"[Array]"}])",
        R"([{"violations":["[Object]", null, 7]}])", "[[[]]]", "null", "{}"}) {
    CAPTURE(details);
    const auto error = read(
        R"({"error":{"code":429,"message":"* Quota exceeded for metric: g/free_tier_requests, limit: 20, )"
        R"(model: gemini-3-flash\nPlease retry in 7m55.9s.","details":)" +
        details + "}}");
    CHECK(error.violations == std::vector{violation("", "g/free_tier_requests", "gemini-3-flash",
                                                    Metric::requests, QuotaPeriod::unknown, true, 20)});
    CHECK(error.retry_after == 475'900ms);
  }
}

TEST_CASE("a violation's size is no number unless it is a whole one") {
  for (const std::string value :
       {"-5", "1.5", "\"-5\"", "\"1.5\"", "\"20x\"", "\"\"", "\" 20\"", "\"99999999999999999999\"", "true",
        "[20]", "\"[MaxDepth]\"", "1e3", "9007199254740993"}) {
    CAPTURE(value);
    const auto error =
        read(R"({"error":{"code":429,"details":[{"violations":[{"quotaId":"XPerDay","quotaValue":)" + value +
             "}]}]}}");
    REQUIRE(error.violations.size() == 1);
    CHECK(error.violations[0].amount == std::nullopt);
    CHECK(error.violations[0].period == QuotaPeriod::day);
  }
}

TEST_CASE("JSON cut off by a logger keeps the members that were complete") {
  const std::string body = testing::upstream_body("errors", "07-429-paid-rpd-image.json");
  const auto before = [&](std::string_view mark) { return body.substr(0, body.find(mark)); };
  {  // behind the violations: only the hint's exact form is lost
    const auto error = read(before("\"72193s\""));
    CHECK(error.violations.size() == 1);
    CHECK(error.violations[0].amount == 1000);
    CHECK(error.kind == ErrorKind::quota);
  }
  {  // inside a violation: name known, size from the text
    const auto error = read(before("0\"\n          }\n        ]"));
    REQUIRE(error.violations.size() == 1);
    CHECK(error.violations[0].quota_id == "GenerateRequestsPerDayPerProjectPerModel");
    CHECK(error.violations[0].amount == 1000);
  }
  {  // inside the message: what stands there in full
    const auto error = read(before("ash-lite-image\\n"));
    REQUIRE(error.violations.size() == 1);
    CHECK(error.violations[0].quota_metric ==
          "generativelanguage.googleapis.com/generate_requests_per_model_per_day");
    CHECK(error.violations[0].amount == 1000);
    CHECK(error.violations[0].model == "");
    CHECK(error.retry_after == std::nullopt);
  }
  {  // inside the number
    const auto error = read(before("00, model"));
    CHECK(error.kind == ErrorKind::quota);
    CHECK(error.violations[0].amount == std::nullopt);
  }
  CHECK(read(before("13.257")).retry_after == std::nullopt);
}

TEST_CASE("Retry-After is read, and the longest hint counts") {
  CHECK(read("", 429, "17").retry_after == 17s);
  CHECK(read("", 429, " 7.66 ").retry_after == 7'660ms);
  for (const std::string_view header :
       {"", "soon", "-5", "Wed, 21 Oct 2026 07:28:00 GMT", "99999999999999999", "1.2.3"}) {
    CAPTURE(header);
    CHECK(read("", 429, header).retry_after == std::nullopt);
  }
  const std::string body = testing::upstream_body("errors", "40-openai-429.json");
  CHECK(read(body, 429, "2").retry_after == 2s);
  CHECK(read(body, 429, "1").retry_after == 1'780ms);
  CHECK(read(R"({"error":{"code":429,"details":[{"retryDelay":"51820.638305887s"}]}})").retry_after ==
        51'820'638'306us);
  CHECK(read(R"({"error":{"code":429,"details":[{"retryDelay":36},{"retryDelay":"-1s"}]}})").retry_after ==
        std::nullopt);
}

TEST_CASE("kinds of refusal are told apart by their names") {
  struct Case {
    int status;
    std::string body;
    ErrorKind kind;
  };
  const std::vector<Case> cases = {
      {429,
       R"({"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":null}})",
       ErrorKind::credits},
      {0, R"({"error":{"message":"You exceeded your current quota","code":"insufficient_quota"}})",
       ErrorKind::credits},
      {400,
       R"({"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low."}})",
       ErrorKind::credits},
      {402, R"({"error":{"code":402,"message":"Insufficient credits"}})", ErrorKind::credits},
      {0, R"({"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}})",
       ErrorKind::overloaded},
      {0, R"({"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}})",
       ErrorKind::auth},
      {401, R"({"error":{"message":"Incorrect API key provided","code":"invalid_api_key"}})",
       ErrorKind::auth},
      {403, R"({"error":{"code":403,"message":"Your input was flagged","metadata":{"reasons":["x"]}}})",
       ErrorKind::bad_request},
      {400,
       R"({"error":{"code":400,"message":"The input token count exceeds the maximum","status":"INVALID_ARGUMENT"}})",
       ErrorKind::bad_request},
      {0, R"({"error":{"message":"too many","code":"too_many_requests"}})", ErrorKind::unnamed_429},
      {504, R"({"error":{"code":504,"status":"DEADLINE_EXCEEDED"}})", ErrorKind::server},
      {500, R"({"error":"model runner has unexpectedly stopped"})", ErrorKind::server},
      {0, R"({"error":{}})", ErrorKind::server},
      {0, R"({"type":"error","code":"rate_limit_exceeded","message":"slow down"})", ErrorKind::unnamed_429},
      {0, R"({"response":{"error":{"code":"server_error","message":"x"}}})", ErrorKind::server},
  };
  for (const Case& c : cases) {
    CAPTURE(c.body);
    CHECK(read(c.body, c.status).kind == c.kind);
  }
}

}  // namespace weir::provider
