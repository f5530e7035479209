#include <doctest/doctest.h>

#include "daemon/text/status.hpp"

#include "quota_answer.hpp"

namespace weir::daemon {
TEST_CASE("limits are shown nearest to their end first, and unused ones in one line") {
  CHECK(render_status(three_limits(), kNow, {}, kAscii) ==
        "LIMIT                                            USED  HELD  LEFT      OF  RESETS     RUNS OUT   "
        "SOURCE\n"
        "*/cost_usd/month                   ##########  $10.25    $0    $0  $10.00  -          now        "
        "configured, not enforced\n"
        "gemini-2.5-flash/requests/day      ########+.      16     1     3      20  in 7h 12m  in 2h 00m  "
        "published 2026-09-04\n"
        "gemini-2.5-flash/input_tokens/60s  #.........   12.3k     0  238k    250k  in 42s     -          "
        "published 2026-09-04\n"
        "... and 2 limits with nothing used (--all shows them)\n");
}

TEST_CASE(
    "what a forecast says is told apart: when it runs out, that it has, that nobody knows, that it lasts") {
  json states = answer({limit("a", "requests", 10, 4, 0), limit("b", "requests", 10, 3, 0),
                        limit("c", "requests", 10, 2, 0), limit("d", "requests", 10, 1, 0)});
  json& limits = states["limits"];
  limits[0]["forecast"] = "exhausted";
  limits[0]["exhausts_at"] = "2026-11-22T12:00:00.000Z";
  limits[1]["forecast"] = "runs_out";
  limits[1]["exhausts_at"] = "2026-11-22T12:00:30.000Z";
  limits[2]["forecast"] = "unknown";
  limits[3]["forecast"] = "lasts";
  CHECK(render_status(states, kNow, {}, kAscii) ==
        "LIMIT              USED  HELD  LEFT  OF  RESETS  RUNS OUT  SOURCE\n"
        "a      ####......     4     0     6  10  -       now       published 2026-09-04\n"
        "b      ###.......     3     0     7  10  -       in 30s    published 2026-09-04\n"
        "c      ##........     2     0     8  10  -       unknown   published 2026-09-04\n"
        "d      #.........     1     0     9  10  -       -         published 2026-09-04\n");
}

TEST_CASE("what upstream closed is shown first, with when it opens, though nothing was used") {
  json resting = limit("m/cool_down", "requests", 0, 0, 0);
  resting["forecast"] = "exhausted";
  resting["exhausts_at"] = "2026-11-22T12:00:00.000Z";
  resting["exhausted_until"] = "2026-11-22T12:00:42.000Z";
  json day = limit("m/requests/day", "requests", 20, 3, 0);
  day["remaining"] = 0;
  day["resets_at"] = "2026-11-22T13:00:00.000Z";
  day["exhausted_until"] = "2026-11-22T19:12:00.000Z";
  json busy = limit("n/requests/day", "requests", 20, 20, 0);
  json over = limit("o/requests/day", "requests", 20, 0, 0);
  over["exhausted_until"] = "2026-11-22T12:00:00.000Z";
  CHECK(render_status(answer({busy, over, day, resting}), kNow, {}, kAscii) ==
        "LIMIT                       USED  HELD  LEFT  OF  RESETS     RUNS OUT  SOURCE\n"
        "m/cool_down     ##########     0     0     0   0  in 42s     now       published 2026-09-04\n"
        "m/requests/day  ##........     3     0     0  20  in 7h 12m  unknown   published 2026-09-04\n"
        "n/requests/day  ##########    20     0     0  20  -          unknown   published 2026-09-04\n"
        "... and 1 limit with nothing used (--all shows them)\n");
}

TEST_CASE("the limits of a model that no table lists are shown as assumed") {
  json unheard_of = limit("gemini-99/requests/day", "requests", 10, 1, 0);
  unheard_of["assumed"] = true;
  CHECK(render_status(answer({unheard_of}), kNow, {}, kAscii).find("assumed 2026-09-04") !=
        std::string::npos);
}

TEST_CASE("a narrow terminal loses source and held before it loses the numbers that matter") {
  Look look = kAscii;
  look.width = 80;
  CHECK(render_status(three_limits(), kNow, {}, look) ==
        "LIMIT                                   USED  LEFT      OF  RESETS     RUNS OUT\n"
        "*/cost_usd/month          ##########  $10.25    $0  $10.00  -          now\n"
        "gemini-...h/requests/day  ########+.      16     3      20  in 7h 12m  in 2h 00m\n"
        "gemini-...put_tokens/60s  #.........   12.3k  238k    250k  in 42s     -\n"
        "... and 2 limits with nothing used (--all shows them)\n");
  look.width = 60;
  CHECK(render_status(three_limits(), kNow, {}, look) ==
        "LIMIT                          USED  LEFT      OF  RESETS\n"
        "*/cost_usd/month             $10.25    $0  $10.00  -\n"
        "gemini-2...ash/requests/day      16     3      20  in 7h 12m\n"
        "gemini-2...input_tokens/60s   12.3k  238k    250k  in 42s\n"
        "... and 2 limits with nothing used (--all shows them)\n");
}

TEST_CASE("with --all every limit is shown") {
  const std::string all = render_status(three_limits(), kNow, {true}, kAscii);
  CHECK(all.find("gemini-3/requests/day") != std::string::npos);
  CHECK(all.find("gemini-off/requests/day") != std::string::npos);
  CHECK(all.find("nothing used") == std::string::npos);
}

TEST_CASE("the project is shown where there are several") {
  json other = limit("m/requests/day", "requests", 10, 9, 0);
  other["project"] = "team-a";
  CHECK(
      render_status(answer({limit("m/requests/day", "requests", 10, 1, 0), other}), kNow, {}, kAscii) ==
      "PROJECT  LIMIT                       USED  HELD  LEFT  OF  RESETS  RUNS OUT  SOURCE\n"
      "team-a   m/requests/day  #########.     9     0     1  10  -       unknown   published 2026-09-04\n"
      "default  m/requests/day  #.........     1     0     9  10  -       unknown   published 2026-09-04\n");
}

TEST_CASE("a day without use is one line, and an answer without limits too") {
  CHECK(render_status(answer({limit("m/requests/day", "requests", 10, 0, 0)}), kNow, {}, kAscii) ==
        "1 limit, nothing used (--all shows them)\n");
  CHECK(render_status(answer({}), kNow, {}, kAscii) == "no limits\n");
  CHECK(render_status(json::object(), kNow, {}, kAscii) == "no limits\n");
}

TEST_CASE("a limit at its end is red, one near it yellow, and only where colour is asked for") {
  Look look = kAscii;
  look.colour = true;
  const std::string text = render_status(three_limits(), kNow, {}, look);
  CHECK(text.find("\x1b[31m##########\x1b[0m") != std::string::npos);
  CHECK(text.find("\x1b[33m########+.\x1b[0m") != std::string::npos);
  CHECK(text.find("\x1b[32m#.........\x1b[0m") != std::string::npos);
  CHECK(render_status(three_limits(), kNow, {}, kAscii).find('\x1b') == std::string::npos);
}

}  // namespace weir::daemon
