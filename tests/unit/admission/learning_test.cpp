// What upstream's answers teach, told by real bodies.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tests/unit/admission/fixture.hpp"
#include "tests/unit/provider/upstream_data.hpp"

namespace weir::admission {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// A project as the catalog knows it, at noon in California.
Setup catalogued(std::string provider = "gemini", std::string tier = "free") {
  ProjectSetup setup = project("default", {}, true);
  setup.provider = std::move(provider);
  setup.tier = std::move(tier);
  return {.projects = {setup}, .pools = {}, .consumers = {}};
}

struct School : Bench {
  explicit School(const Setup& setup) : Bench(setup) { advance(hours(8)); }  // 12:00 in California

  ledger::CallId open(std::string_view model) {
    const Answer answer = service.admit(ask(model), now);
    REQUIRE_MESSAGE(answer.verdict == Verdict::admitted, model);
    return answer.call->id;
  }
  void answer(ledger::CallId id, int status, std::string_view body = {}, std::string_view retry_after = {}) {
    Settlement settlement;
    settlement.status = status;
    if (status >= 400) {
      settlement.error = provider::error_of(status, body, retry_after);
    } else {
      settlement.usage = Usage{.input_tokens = 1};
    }
    service.settle(id, settlement, now);
  }
  void refuse(std::string_view model, std::string_view body, int status = 429) {
    answer(open(model), status, body);
  }
  bool goes(std::string_view model) { return admit(model) == Verdict::admitted; }
  void succeed(std::string_view model) { answer(open(model), 200); }

  // "kind limit amount" of each observation, in the order in which they were made.
  std::vector<std::string> learned() {
    std::vector<std::string> list;
    for (const ledger::Observation& seen : service.observations().all()) {
      list.push_back(fmt::format("{} {} {}", seen.kind, seen.limit, seen.amount));
    }
    return list;
  }
  WallTime until(std::string_view kind) {
    for (const ledger::Observation& seen : service.observations().all()) {
      if (seen.kind == kind) return seen.until;
    }
    FAIL("no observation of kind ", std::string(kind));
    return {};
  }
};

std::string refusal(std::string_view quota_id, std::string_view amount, std::string_view model,
                    std::string_view delay = "21s") {
  return fmt::format(
      R"({{"error":{{"code":429,"status":"RESOURCE_EXHAUSTED","message":"quota","details":[)"
      R"({{"@type":"QuotaFailure","violations":[{{"quotaMetric":"g/generate_content_free_tier_requests",)"
      R"("quotaId":"{}","quotaDimensions":{{"model":"{}"}},"quotaValue":"{}"}}]}},)"
      R"({{"@type":"RetryInfo","retryDelay":"{}"}}]}}}})",
      quota_id, model, amount, delay);
}

constexpr std::string_view kPerDay = "GenerateRequestsPerDayPerProjectPerModel-FreeTier";
constexpr std::string_view kPerMinute = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier";
constexpr std::string_view kBare =
    R"({"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).","status":"RESOURCE_EXHAUSTED"}})";

}  // namespace

TEST_CASE("every recorded error leads to its act") {
  const std::string flash = "gemini-2.5-flash";
  struct Act {
    std::string_view file;
    std::vector<std::string> learned;
  };
  const std::vector<Act> acts = {
      {"01-429-free-rpd-misleading-short-hint.json",
       {"model_name gemini-3.5-flash-lite -1", "exhausted gemini-3.5-flash-lite/requests/day 500"}},
      {"01b-429-free-rpd-flash-lite-20.json",
       {"model_name gemini-2.5-flash-lite -1", "exhausted gemini-2.5-flash-lite/requests/day 20"}},
      {"02-429-free-rpm.json", {"model_name gemini-3-flash -1", "exhausted gemini-3-flash/requests/60s 5"}},
      {"03-429-free-rpd-truncated-by-logger.json",
       {"model_name gemini-3.6-flash -1", "exhausted gemini-3.6-flash/requests/day 20"}},
      {"04-429-free-input-tpm.json", {"exhausted gemini-2.5-flash/input_tokens/60s 250000"}},
      {"07-429-paid-rpd-image.json",
       {"model_name gemini-3.1-flash-lite-image -1", "amount gemini-2.5-flash/requests/day 1000",
        "exhausted gemini-2.5-flash/requests/day 1000"}},
      {"09-429-limit-0-not-on-free-tier.json",
       {"model_name gemini-2.0-flash -1", "off gemini-2.0-flash/requests/day 0",
        "off gemini-2.0-flash/requests/60s 0", "off gemini-2.0-flash/input_tokens/60s 0"}},
      {"13-429-bare-no-details.json", {"cool_down gemini-2.5-flash/cool_down -1"}},
      {"15-429-prepay-depleted.json", {"credits */credits -1"}},
      {"16-429-spend-based.json", {"spend */spend -1"}},
      {"18-429-region-quota-limit-0-admin-block.json", {"off gemini-2.5-flash/requests/60s 0"}},
      {"19-429-embed-rpm.json",
       {"model_name gemini-embedding-2 -1", "amount gemini-2.5-flash/requests/60s 100",
        "exhausted gemini-2.5-flash/requests/60s 100"}},
      {"20-429-openai-compat-array-wrapped.json", {"exhausted gemini-2.5-flash/requests/day 20"}},
      {"32-429-2025-debuginfo-paid-input-tpm.json",
       {"model_name gemini-2.5-pro -1", "amount gemini-2.5-pro/input_tokens/60s 10000",
        "exhausted gemini-2.5-pro/input_tokens/60s 10000"}},
      {"40-openai-429.json",
       {"model_name gpt-4o -1", "amount gemini-2.5-flash/input_tokens/60s 30000",
        "exhausted gemini-2.5-flash/input_tokens/60s 30000"}},
      {"42-anthropic-429.json", {"cool_down gemini-2.5-flash/cool_down -1"}},
      {"43-openrouter-429-upstream.json", {"cool_down gemini-2.5-flash/cool_down -1"}},
      {"44-openrouter-429-platform.json", {"cool_down gemini-2.5-flash/cool_down -1"}},
  };
  for (const std::string& name : provider::testing::upstream_files("errors")) {
    CAPTURE(name);
    School s(catalogued());
    const std::string body = provider::testing::upstream_body("errors", name);
    const auto status_at = name.find("-4") != std::string::npos ? name.find("-4") : name.find("-5");
    const int status = status_at != std::string::npos ? std::stoi(name.substr(status_at + 1)) : 429;
    s.refuse(flash, body, status);
    CAPTURE(fmt::format("{}", fmt::join(s.learned(), " | ")));
    const auto act =
        std::find_if(acts.begin(), acts.end(), [&](const Act& each) { return each.file == name; });
    const std::vector<std::string> expected = act == acts.end() ? std::vector<std::string>{} : act->learned;
    CHECK(s.learned() == expected);
    CHECK(s.goes(flash) == expected.empty());
  }
}

TEST_CASE("a day's quota: until midnight, but single calls find out from the hint on, and three reopen it") {
  School s(catalogued());
  s.refuse("gemini-2.5-flash", refusal(kPerDay, "20", "gemini-2.5-flash", "4h"));
  CHECK(s.until("exhausted") == *parse_rfc3339("2026-11-23T08:00:00.250Z"));
  CHECK(s.view("gemini-2.5-flash/requests/day").used == 20);
  CHECK(s.view("gemini-2.5-flash/requests/day").used_elsewhere == 19);
  s.advance(hours(3));
  CHECK_FALSE(s.goes("gemini-2.5-flash"));
  s.advance(hours(1) + seconds(1));

  const ledger::CallId probe = s.open("gemini-2.5-flash");
  CHECK_FALSE(s.goes("gemini-2.5-flash"));  // one at a time
  s.answer(probe, 200);
  s.succeed("gemini-2.5-flash");
  CHECK(s.view("gemini-2.5-flash/requests/day").exhausted_until);
  s.succeed("gemini-2.5-flash");
  CHECK_FALSE(s.view("gemini-2.5-flash/requests/day").exhausted_until);
  CHECK(s.view("gemini-2.5-flash/requests/day").used == 0);
  CHECK(s.learned() == std::vector<std::string>{"reopened gemini-2.5-flash/requests/day 20"});
  CHECK(s.goes("gemini-2.5-flash"));
  CHECK(s.goes("gemini-2.5-flash"));
}

TEST_CASE("a probe in vain: the next one takes at least twice as long") {
  School s(catalogued());
  s.refuse("gemini-2.5-flash", refusal(kPerDay, "20", "gemini-2.5-flash", "21s"));
  s.advance(seconds(59));
  CHECK_FALSE(s.goes("gemini-2.5-flash"));
  s.advance(seconds(2));
  s.refuse("gemini-2.5-flash", refusal(kPerDay, "20", "gemini-2.5-flash", "21s"));
  s.advance(seconds(118));
  CHECK_FALSE(s.goes("gemini-2.5-flash"));
  s.advance(seconds(4));
  CHECK(s.goes("gemini-2.5-flash"));
  CHECK_FALSE(s.goes("gemini-2.5-flash"));
}

TEST_CASE("a minute's quota: the hint, but at least one window") {
  for (const auto& [hint, length] : {std::pair{"5s", seconds(60)}, std::pair{"90s", seconds(90)}}) {
    School s(catalogued());
    s.refuse("gemini-2.5-flash", refusal(kPerMinute, "5", "gemini-2.5-flash", hint));
    s.advance(length - seconds(1));
    CHECK_FALSE(s.goes("gemini-2.5-flash"));
    s.advance(seconds(2));
    CHECK(s.goes("gemini-2.5-flash"));
  }
}

TEST_CASE("an amount is learned, expires after seven days unless seen again, and can be forgotten") {
  School s(catalogued());
  const std::string day = "gemini-2.5-flash/requests/day";
  const std::int64_t published = s.view(day).amount;
  s.refuse("gemini-2.5-flash", refusal(kPerDay, "7", "gemini-2.5-flash"));
  CHECK(s.view(day).amount == 7);
  s.advance(hours(24 * 6));
  CHECK(s.view(day).amount == 7);
  s.refuse("gemini-2.5-flash", refusal(kPerDay, "7", "gemini-2.5-flash"));
  s.advance(hours(24 * 6));
  CHECK(s.view(day).amount == 7);
  s.advance(hours(25));
  CHECK(s.view(day).amount == published);

  s.refuse("gemini-2.5-flash", refusal(kPerDay, "9", "gemini-2.5-flash"));
  CHECK(s.view(day).amount == 9);
  while (!s.service.observations().all().empty()) {
    REQUIRE(s.service.observations().forget(s.service.observations().all().front().id, s.now));
  }
  CHECK(s.view(day).amount == published);
  CHECK(s.view(day).used_elsewhere == 0);
  CHECK(s.goes("gemini-2.5-flash"));
}

TEST_CASE("a configured limit is lowered by upstream's word, never raised") {
  for (const std::int64_t told : {10, 500}) {
    School s({.projects = {project("default", {limit({"m"}, Metric::requests, "day", 100)})},
              .pools = {},
              .consumers = {}});
    s.refuse("m", refusal(kPerDay, std::to_string(told), "m"));
    CHECK(s.view("m/requests/day").amount == std::min<std::int64_t>(told, 100));
  }
}

TEST_CASE("what is said of one model's quota leaves limits that others share alone") {
  const auto shared = [](Metric metric, std::string_view window, std::int64_t amount) {
    return School({.projects = {project("default", {limit({"m-*"}, metric, window, amount)})},
                   .pools = {},
                   .consumers = {}});
  };
  SUBCASE("an amount makes a limit of the model's own") {
    School s = shared(Metric::requests, "day", 100);
    s.refuse("m-1", refusal(kPerDay, "20", "m-1"));
    CHECK(s.learned() ==
          std::vector<std::string>{"amount m-1/requests/day 20", "exhausted m-1/requests/day 20"});
    CHECK(s.view("m-*/requests/day").amount == 100);
    CHECK(s.view("m-*/requests/day").used == 1);
    CHECK_FALSE(s.goes("m-1"));
    CHECK(s.goes("m-2"));
  }
  SUBCASE("without an amount, or with none left, the model's gate closes until the day ends") {
    for (const std::string amount : {"", "0"}) {
      School s = shared(Metric::total_tokens, "day", 100'000);
      const std::string name = "GenerateContentInputTokensPerModelPerDay-FreeTier";
      s.refuse("m-1", refusal(name, amount, ""));
      REQUIRE(s.learned().size() == 1);
      CHECK(s.learned().front().find("m-1/cool_down") != std::string::npos);
      s.advance(hours(11));
      CHECK_FALSE(s.goes("m-1"));
      CHECK(s.goes("m-2"));
      s.advance(hours(1) + seconds(1));
      CHECK(s.goes("m-1"));
    }
  }
  SUBCASE("headers count one model") {
    School s = shared(Metric::requests, "60s", 100);
    Settlement settlement = used(1, 1);
    provider::read_rate_limit("x-ratelimit-limit-requests", "3", settlement.rate_limits);
    provider::read_rate_limit("x-ratelimit-remaining-requests", "0", settlement.rate_limits);
    provider::read_rate_limit("x-ratelimit-reset-requests", "120ms", settlement.rate_limits);
    s.service.settle(s.open("m-1"), settlement, s.now);
    CHECK(s.learned().empty());
    CHECK(s.view("m-*/requests/60s").amount == 100);
    CHECK(s.view("m-*/requests/60s").used_elsewhere == 0);
  }
  SUBCASE("but what names no model may mean them all") {
    School s = shared(Metric::requests, "day", 50);
    s.refuse("m-1", R"({"error":{"message":"Rate limit exceeded: free-models-per-day","code":429}})");
    CHECK(s.learned() == std::vector<std::string>{"exhausted m-*/requests/day -1"});
    CHECK_FALSE(s.goes("m-2"));
  }
}

TEST_CASE("a rest does not open what is closed for longer") {
  School s({.projects = {project("default", {})}, .pools = {}, .consumers = {}});
  const ledger::CallId first = s.open("m"), second = s.open("m");
  s.answer(first, 429, refusal(kPerDay, "0", "m"));
  s.answer(second, 429, kBare);
  s.advance(minutes(2));
  CHECK_FALSE(s.goes("m"));
}

TEST_CASE("a limit that we did not know is added, for open calls and later ones, and after a restart") {
  School s({.projects = {project("default", {})}, .pools = {}, .consumers = {}});
  const ledger::CallId first = s.open("m");
  const ledger::CallId other = s.open("m");
  s.answer(first, 429, refusal(kPerDay, "3", "m"));
  CHECK(s.view("m/requests/day").amount == 3);
  CHECK(s.view("m/requests/day").held == 1);
  CHECK_FALSE(s.goes("m"));
  s.answer(other, 200);
  CHECK(s.view("m/requests/day").held == 0);
  s.advance(hours(13));  // past midnight
  for (int i = 0; i < 3; ++i) s.succeed("m");
  CHECK_FALSE(s.goes("m"));
  // Forgotten, it stands in nobody's way; told again, it does.
  while (!s.service.observations().all().empty()) {
    s.service.observations().forget(s.service.observations().all().front().id, s.now);
  }
  CHECK(s.goes("m"));
  s.answer(s.last, 429, refusal(kPerDay, "4", "m"));
  CHECK(s.view("m/requests/day").amount == 4);
  CHECK_FALSE(s.goes("m"));
}

TEST_CASE("limit 0 turns a model off until the next day; then one call finds out, each day") {
  School s(catalogued());
  const std::string body =
      provider::testing::upstream_body("errors", "18-429-region-quota-limit-0-admin-block.json");
  s.refuse("gemini-2.5-flash", body);
  s.advance(hours(11));
  CHECK_FALSE(s.goes("gemini-2.5-flash"));
  s.advance(hours(1) + seconds(1));
  s.refuse("gemini-2.5-flash", body);  // the probe
  CHECK_FALSE(s.goes("gemini-2.5-flash"));
  s.advance(hours(24));
  s.succeed("gemini-2.5-flash");
  CHECK(s.learned().empty());
  CHECK(s.goes("gemini-2.5-flash"));
}

TEST_CASE("a 429 that names nothing: 2 s, doubled up to 60 s, and a success resets it") {
  School s(catalogued());
  for (const int length : {2, 4, 8, 16, 32, 60, 60}) {
    s.refuse("gemini-2.5-flash-lite", kBare);
    s.advance(milliseconds(length * 1000 - 100));
    CHECK_FALSE(s.goes("gemini-2.5-flash-lite"));
    CHECK(s.goes("gemini-2.5-flash"));  // only that model
    s.service.settle(s.last, used(1, 1), s.now);
    s.advance(milliseconds(200));
  }
  s.succeed("gemini-2.5-flash-lite");
  s.refuse("gemini-2.5-flash-lite", kBare);
  s.advance(milliseconds(2100));
  CHECK(s.goes("gemini-2.5-flash-lite"));
}

TEST_CASE("calls that were under way when a rest began do not prolong it") {
  School s(catalogued());
  const auto a = s.open("gemini-2.5-flash-lite"), b = s.open("gemini-2.5-flash-lite");
  s.answer(a, 429, kBare);
  s.answer(b, 429, kBare);
  s.advance(milliseconds(2100));
  CHECK(s.goes("gemini-2.5-flash-lite"));
}

TEST_CASE(
    "503 is no quota: single ones change nothing, three in a row are a reason to rest, none is learned") {
  School s(catalogued());
  const std::string body = provider::testing::upstream_body("errors", "22-503-overloaded.json");
  s.refuse("gemini-2.5-flash", body, 503);
  s.refuse("gemini-2.5-flash", body, 503);
  s.succeed("gemini-2.5-flash");
  s.refuse("gemini-2.5-flash", body, 503);
  s.refuse("gemini-2.5-flash", body, 503);
  s.refuse("gemini-2.5-flash-lite", body, 503);  // another model
  s.refuse("gemini-2.5-flash-lite", body, 503);
  s.refuse("gemini-2.5-flash-lite", body, 503);
  CHECK(s.learned().empty());
  CHECK_FALSE(s.goes("gemini-2.5-flash-lite"));
  s.advance(milliseconds(2100));
  CHECK(s.goes("gemini-2.5-flash-lite"));
}

TEST_CASE("spending too fast: the limit on spending rests, up to ten minutes") {
  School s(catalogued("gemini", "tier1"));
  const std::string body = provider::testing::upstream_body("errors", "16-429-spend-based.json");
  for (const int length : {60, 120, 240, 480, 600, 600}) {
    s.refuse("gemini-2.5-flash", body);
    s.advance(seconds(length - 1));
    CHECK_FALSE(s.goes("gemini-2.5-flash"));
    s.advance(seconds(2));
  }
  CHECK(s.goes("gemini-2.5-flash"));
}

TEST_CASE(
    "nothing left to spend: every model of the project rests, until forgotten or a probe goes through") {
  School s(catalogued("openai", "tier1"));
  const std::string body =
      R"({"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}})";
  s.refuse("gpt-4o", body);
  CHECK_FALSE(s.goes("gpt-4o-mini"));
  s.advance(minutes(61));
  s.refuse("gpt-4o", body);  // the probe of this hour
  CHECK_FALSE(s.goes("gpt-4o"));
  s.advance(hours(24 * 30));
  CHECK(s.learned().size() == 1);
  s.succeed("gpt-4o");
  CHECK(s.learned().empty());
  CHECK(s.goes("gpt-4o-mini"));
}

TEST_CASE("headers: what others use is charged, open calls stay held beside it, amounts are believed") {
  School s({.projects = {project("default", {limit({"m"}, Metric::requests, "60s", 1000),
                                             limit({"m"}, Metric::total_tokens, "60s", 100'000)})},
            .pools = {},
            .consumers = {}});
  const auto a = s.open("m");
  s.open("m");
  Settlement settlement = used(10, 10);
  provider::read_rate_limit("x-ratelimit-limit-requests", "500", settlement.rate_limits);
  provider::read_rate_limit("x-ratelimit-remaining-requests", "100", settlement.rate_limits);
  provider::read_rate_limit("x-ratelimit-reset-requests", "120ms", settlement.rate_limits);
  provider::read_rate_limit("x-ratelimit-limit-tokens", "100000", settlement.rate_limits);
  provider::read_rate_limit("x-ratelimit-remaining-tokens", "99980", settlement.rate_limits);
  s.service.settle(a, settlement, s.now);
  const quota::LimitView requests = s.view("m/requests/60s");
  CHECK(requests.amount == 500);
  CHECK(requests.used == 400);
  CHECK(requests.used_elsewhere == 399);
  CHECK(requests.held == 1);
  CHECK(requests.remaining == 99);
  CHECK(s.view("m/total_tokens/60s").used_elsewhere == 0);
}

TEST_CASE("another name of upstream's: its limits hold from then on, and what was counted comes along") {
  School s(catalogued());
  for (int i = 0; i < 2; ++i) s.succeed("gemini-flash-nightly");  // listed nowhere: 2 a minute
  s.advance(minutes(2));
  const ledger::CallId open = s.open("gemini-flash-nightly");
  s.refuse("gemini-flash-nightly", refusal(kPerDay, "20", "gemini-2.5-flash"));
  const quota::LimitView day = s.view("gemini-2.5-flash/requests/day");
  CHECK(day.used == 19);
  CHECK(day.used_elsewhere == 16);
  CHECK(day.held == 1);
  CHECK_FALSE(s.goes("gemini-2.5-flash"));
  s.answer(open, 200);
  CHECK(s.view("gemini-2.5-flash/requests/day").held == 0);
  // Forgotten, the model has the limits of its own name again.
  while (!s.service.observations().all().empty()) {
    s.service.observations().forget(s.service.observations().all().front().id, s.now);
  }
  s.advance(minutes(2));
  REQUIRE(s.goes("gemini-flash-nightly"));
  CHECK(s.view("gemini-2.5-flash/requests/day").held == 0);
  s.service.settle(s.last, used(1, 1), s.now);
  for (const quota::LimitId id : s.service.directory().project("default")->limits) {
    CHECK(s.service.book().view(id, s.now).held == 0);
  }
}

TEST_CASE("exploring: one call at a time and at most one a minute goes beyond a published limit") {
  Setup setup = catalogued();
  setup.projects[0].explore = true;
  School s(setup);
  const std::string minute = "gemini-2.5-flash/requests/60s";
  const std::int64_t published = s.view(minute).amount;
  for (std::int64_t i = 0; i < published; ++i) s.succeed("gemini-2.5-flash");
  const ledger::CallId beyond = s.open("gemini-2.5-flash");
  CHECK_FALSE(s.goes("gemini-2.5-flash"));
  s.answer(beyond, 200);
  CHECK(s.view(minute).amount == published + 1);
  CHECK(s.learned() == std::vector<std::string>{fmt::format("explored {} {}", minute, published + 1)});
  CHECK_FALSE(s.goes("gemini-2.5-flash"));
  s.advance(seconds(61));
  for (std::int64_t i = 0; i <= published; ++i) s.succeed("gemini-2.5-flash");
  // Upstream's own word ends it.
  s.answer(s.open("gemini-2.5-flash"), 429,
           refusal(kPerMinute, std::to_string(published + 1), "gemini-2.5-flash"));
  CHECK(s.view(minute).amount == published + 1);
  s.advance(seconds(121));
  for (std::int64_t i = 0; i <= published; ++i) s.succeed("gemini-2.5-flash");
  CHECK_FALSE(s.goes("gemini-2.5-flash"));
}

TEST_CASE("nobody explores who did not ask to") {
  School s(catalogued());
  while (s.goes("gemini-2.5-flash")) s.service.settle(s.last, used(1, 1), s.now);
  CHECK(s.learned().empty());
}

TEST_CASE("what was learned is there after a restart") {
  Setup setup = catalogued();
  ledger::TempDirectory directory;
  ledger::Loop loop;
  Now now{SteadyTime(parse_rfc3339("2026-11-22T20:00:00Z")->time_since_epoch()),
          *parse_rfc3339("2026-11-22T20:00:00Z")};
  std::vector<std::string> live;
  const auto picture = [&now](Service& service) {
    std::vector<std::string> lines;
    for (Project& project : service.directory().projects()) {
      for (const quota::LimitId id : project.limits) {
        const quota::LimitView v = service.book().view(id, now);
        if (v.used != 0 || v.exhausted_until) {
          lines.push_back(fmt::format("{} {} {} {} {}", service.book().spec(id).name, v.amount, v.used,
                                      v.used_elsewhere, v.exhausted_until.has_value()));
        }
      }
    }
    std::sort(lines.begin(), lines.end());
    return lines;
  };
  for (int run = 0; run < 2; ++run) {
    ledger::Ledger ledger({.path = directory.file()}, loop.post());
    telemetry::Registry metrics;
    Service service(setup, catalog::Catalog::embedded(), ledger, metrics);
    {
      ledger::Reader reader(directory.file());
      service.recover(reader, now);
    }
    if (run == 1) {
      CHECK(picture(service) == live);
      break;
    }
    const auto refuse = [&](std::string_view model, std::string_view body) {
      Ask ask;
      ask.route = service.route("default", model, "default", now);
      const Answer answer = service.admit(ask, now);
      REQUIRE(answer.verdict == Verdict::admitted);
      Settlement settlement;
      settlement.status = 429;
      settlement.error = provider::error_of(429, body);
      service.settle(answer.call->id, settlement, now);
      now.steady += seconds(1);
      now.wall += seconds(1);
    };
    refuse("gemini-2.5-flash", refusal(kPerDay, "15", "gemini-2.5-flash"));
    refuse("gemini-nightly", refusal(kPerDay, "20", "gemini-2.5-flash-lite"));
    refuse("gemini-3-flash", refusal(kPerMinute, "5", "gemini-3-flash"));
    live = picture(service);
    CHECK(live.size() >= 3);
    bool drained = false;
    ledger.drain([&drained] { drained = true; });
    REQUIRE(loop.run_until([&drained] { return drained; }));
  }
}

}  // namespace weir::admission
