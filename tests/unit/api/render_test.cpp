#include "api/render.hpp"

#include <doctest/doctest.h>

#include "ledger/call_id.hpp"
#include "time/rfc3339.hpp"

namespace weir::api {
namespace {

template <class Append>
std::string text(Append append) {
  std::string out;
  append(out);
  return out;
}

}  // namespace

TEST_CASE("an id reads back as it was, and nothing else is one") {
  for (const ledger::CallId id : {ledger::CallId{1}, ledger::CallId{1'795'000'000'000'000}, INT64_MAX}) {
    CHECK(ledger::parse_id(text([&](std::string& out) { ledger::append_id(out, id); })) == id);
  }
  for (const char* wrong : {"", "12", "000660dbad8d3b3", "000660dbad8d3b3bb", "000660dbad8d3b3g",
                            "-00660dbad8d3b3b", "ffffffffffffffff"}) {
    CAPTURE(wrong);
    CHECK_FALSE(ledger::parse_id(wrong));
  }
}

TEST_CASE("seconds have up to three decimals, money has six, both rounded") {
  const auto s = [](std::int64_t us) {
    return text([&](std::string& out) { append_seconds(out, Micros(us)); });
  };
  CHECK(s(0) == "0.0");
  CHECK(s(1'500'000) == "1.5");
  CHECK(s(59'999'600) == "60.0");
  CHECK(s(250'000) == "0.25");
  CHECK(s(1'001'000) == "1.001");
  CHECK(s(-1'200'000) == "-1.2");
  const auto usd = [](NanoUsd nanos) { return text([&](std::string& out) { append_usd(out, nanos); }); };
  CHECK(usd(0) == "0.000000");
  CHECK(usd(123'456) == "0.000123");
  CHECK(usd(123'500) == "0.000124");
  CHECK(usd(12'000'000'000) == "12.000000");
  CHECK(usd(-1'500) == "-0.000002");
}

TEST_CASE("an admission's answer is the contract's") {
  const std::string answer = text([](std::string& out) {
    append_admission(out, {.id = 0x660dbad8d3b3b,
                           .project = "default",
                           .model = "a\"b",
                           .admitted_at = *parse_rfc3339("2026-11-22T11:21:26.082Z"),
                           .lease = std::chrono::seconds(120),
                           .waited = Micros(0),
                           .charged = Amounts{1, 1200, 0, 0, 99}});
  });
  CHECK(
      answer ==
      R"({"admission_id":"000660dbad8d3b3b","project":"default","model":"a\"b","admitted_at":"2026-11-22T11:21:26.082Z",)"
      R"("lease_expires_at":"2026-11-22T11:23:26.082Z","waited_s":0.0,"charged":{"requests":1,"input_tokens":1200}})");
}

TEST_CASE("an admission whose input was estimated says so") {
  const std::string answer = text([](std::string& out) {
    append_admission(out, {.id = 1,
                           .project = "p",
                           .model = "m",
                           .admitted_at = {},
                           .lease = {},
                           .waited = {},
                           .charged = Amounts{1, 7, 0, 0, 0},
                           .estimated = true});
  });
  CHECK(answer.ends_with(R"("charged":{"requests":1,"input_tokens":7},"estimated":true})"));
}

TEST_CASE("a settlement's answer is the contract's") {
  ledger::Outcome outcome;
  outcome.id = 1;
  outcome.status = 200;
  outcome.usage =
      Usage{.input_tokens = 123, .cached_input_tokens = 100, .output_tokens = 456, .thoughts_tokens = 78};
  outcome.charged = Amounts{1, 123, 534, 0, 0};
  outcome.cost = 123'000;
  CHECK(
      text([&](std::string& out) { append_settled(out, "p", "m", "c", outcome); }) ==
      R"({"call_id":"0000000000000001","project":"p","model":"m","consumer":"c","status":200,"usage":{"input_tokens":123,)"
      R"("cached_input_tokens":100,"output_tokens":456,"thoughts_tokens":78,"tool_use_tokens":0,"total_tokens":657},)"
      R"("charged":{"requests":1,"input_tokens":123,"output_tokens":534},"cost_usd":0.000123,"estimated":false})");
}

}  // namespace weir::api
