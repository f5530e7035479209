#include <doctest/doctest.h>

#include "daemon/text/statusline.hpp"

#include "quota_answer.hpp"

namespace weir::daemon {
namespace {

std::string line(const json& quota, std::size_t width = 0, bool colour = false) {
  return render_statusline(quota, kNow, {width, colour, false});
}

json two_models() {
  json day = limit("gemini-2.5-flash/requests/day", "requests", 20, 16, 0);
  day["resets_at"] = "2026-11-23T08:06:30.000Z";
  json minute = limit("gemini-2.5-flash/requests/60s", "requests", 5, 2, 0);
  json tokens = limit("gemini-2.5-flash/input_tokens/60s", "input_tokens", 250'000, 12'000, 500);
  json other = limit("gemini-2.5-pro/requests/day", "requests", 50, 30, 0);
  return answer({other, tokens, minute, day});
}

}  // namespace

TEST_CASE("the nearest model's limits are told, the nearest first, and when that one resets") {
  CHECK(line(two_models()) == "gemini-2.5-flash 16/20 today, 2/5 a minute, resets 20h 07m");
}

TEST_CASE("a model that rests is told before everything else") {
  json quota = two_models();
  json resting = limit("gemini-2.5-pro/cool_down", "requests", 0, 0, 0);
  resting["exhausted_until"] = "2026-11-22T12:00:42.000Z";
  quota["limits"].push_back(resting);
  CHECK(line(quota) == "gemini-2.5-pro closed, 30/50 today, resets 42s; gemini-2.5-flash 16/20 today");
  quota = two_models();
  quota["limits"][0]["exhausted_until"] = "2026-11-22T13:30:00.000Z";
  CHECK(line(quota) == "gemini-2.5-pro closed 30/50 today, resets 1h 30m; gemini-2.5-flash 16/20 today");
}

TEST_CASE("other models are told when they are near their limits, and a run-out when one is coming") {
  json quota = two_models();
  quota["limits"][0]["used"] = 45;
  CHECK(line(quota) == "gemini-2.5-pro 45/50 today; gemini-2.5-flash 16/20 today");
  quota = two_models();
  quota["limits"][0]["used"] = 40;
  quota["limits"][3]["used"] = 17;
  quota["limits"][3]["forecast"] = "runs_out";
  quota["limits"][3]["exhausts_at"] = "2026-11-22T13:30:00.000Z";
  CHECK(line(quota) ==
        "gemini-2.5-flash 17/20 today, 2/5 a minute, runs out in 1h 30m, "
        "resets 20h 07m"
        "; gemini-2.5-pro 40/50 today");
}

TEST_CASE("a narrow line loses what matters least, and never exceeds its width") {
  CHECK(line(two_models(), 55) == "gemini-2.5-flash 16/20 today, 2/5 a minute");
  CHECK(line(two_models(), 45) == "gemini-2.5-flash 16/20 today, 2/5 a minute");
  CHECK(line(two_models(), 30) == "gemini-2.5-flash 16/20 today");
  CHECK(line(two_models(), 20) == "gemin... 16/20 today");
  CHECK(line(two_models(), 12) == "16/20 today");
  for (std::size_t width = 1; width < 130; ++width) {
    CAPTURE(width);
    CHECK(display_width(line(two_models(), width)) <= width);
  }
}

TEST_CASE("windows and metrics are told in words") {
  const auto of = [](const char* name, const char* metric, double amount, double used) {
    return line(answer({limit(name, metric, amount, used, 0)}));
  };
  CHECK(of("m/requests/1h", "requests", 5, 2) == "m 2/5 an hour");
  CHECK(of("m/requests/10m", "requests", 5, 2) == "m 2/5 in 10m");
  CHECK(of("m/requests/week", "requests", 5, 2) == "m 2/5 this week");
  CHECK(of("*/cost_usd/month", "cost_usd", 10, 2.5) == "* $2.50/$10.00 this month");
  CHECK(of("m/images/day", "images", 5, 2) == "m 2/5 images today");
  CHECK(of("m/total_tokens/day", "total_tokens", 15e6, 17'000) == "m 17k/15M total tokens today");
  json open = limit("m/in_flight", "in_flight", 4, 0, 3);
  open["window"] = "in_flight";
  CHECK(line(answer({open})) == "m 3/4 open");
}

TEST_CASE("projects are told apart where there are several") {
  json quota = two_models();
  quota["limits"][0]["project"] = "team-a";
  CHECK(line(quota).starts_with("default gemini-2.5-flash 16/20 today"));
}

TEST_CASE("nothing used, and no limits, are words") {
  CHECK(line(answer({limit("m/requests/day", "requests", 10, 0, 0)})) == "weir: nothing used");
  CHECK(line(answer({})) == "weir: no limits");
  CHECK(line(json::object()) == "weir: no limits");
}

TEST_CASE("nearness has a colour where colour is asked for") {
  CHECK(line(two_models(), 0, true).find("\x1b[33m16/20 today\x1b[0m") != std::string::npos);
  CHECK(line(two_models()).find('\x1b') == std::string::npos);
}

}  // namespace weir::daemon
