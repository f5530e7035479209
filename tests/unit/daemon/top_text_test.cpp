#include <doctest/doctest.h>

#include "daemon/terminal.hpp"
#include "daemon/text/top.hpp"

#include "quota_answer.hpp"

namespace weir::daemon {
namespace {

const std::string kDaemon = "http://127.0.0.1:8411";

Frame frame_of(json quota, std::size_t columns, std::size_t lines) {
  return {.quota = std::move(quota),
          .now = kNow,
          .age = std::chrono::seconds(0),
          .trouble = {},
          .columns = columns,
          .lines = lines};
}

std::string joined(const Drawn& drawn) {
  std::string text;
  for (const std::string& line : drawn.lines) text += line + '\n';
  return text;
}

json many(int count) {
  std::vector<json> limits;
  for (int i = 0; i < count; ++i)
    limits.push_back(limit("m" + std::to_string(100 + i) + "/requests/day", "requests", 100, count - i, 0));
  return answer(std::move(limits));
}

}  // namespace

TEST_CASE("a frame of 120 columns has it all") {
  CHECK(joined(render_top(frame_of(three_limits(), 120, 11), kDaemon, kAscii)) ==
        "weir top  http://127.0.0.1:8411                                                                     "
        "         data 0s old\n"
        "5 limits, 3 in use, 1 used up, 1 will run out before the reset\n"
        "\n"
        "LIMIT                                        USED  HELD      OF   PACE/H  RUNS OUT   RESETS     "
        "SOURCE\n"
        "*/cost_usd/month               ##########  $10.25    $0  $10.00  unknown  now        -          "
        "configured, not enforced\n"
        "gemini-2.5-flash/requests/day  ########+.      16     1      20      1.5  in 2h 00m  in 7h 12m  "
        "published 2026-09-04\n"
        "gemini-2...h/input_tokens/60s  #.........   12.3k     0    250k    46.5k  -          in 42s     "
        "published 2026-09-04\n"
        "gemini-3/requests/day          ..........       0     0      20  unknown  unknown    -          "
        "published 2026-09-04\n"
        "gemini-off/requests/day        ##########       0     0       0  unknown  -          -          "
        "published 2026-09-04\n"
        "\n"
        "q quits\n");
}

TEST_CASE("at 80 columns source, held and pace are gone, at 60 the bar too") {
  CHECK(joined(render_top(frame_of(three_limits(), 80, 10), kDaemon, kAscii)) ==
        "weir top  http://127.0.0.1:8411                                      data 0s old\n"
        "5 limits, 3 in use, 1 used up, 1 will run out before the reset\n"
        "\n"
        "LIMIT                                         USED      OF  RUNS OUT   RESETS\n"
        "*/cost_usd/month                ##########  $10.25  $10.00  now        -\n"
        "gemini-2.5-flash/requests/day   ########+.      16      20  in 2h 00m  in 7h 12m\n"
        "gemini-2....h/input_tokens/60s  #.........   12.3k    250k  -          in 42s\n"
        "gemini-3/requests/day           ..........       0      20  unknown    -\n"
        "gemini-off/requests/day         ##########       0       0  -          -\n"
        "q quits\n");
  CHECK(joined(render_top(frame_of(three_limits(), 60, 10), kDaemon, kAscii)) ==
        "weir top  http://127.0.0.1:8411                  data 0s old\n"
        "5 limits, 3 in use, 1 used up, 1 will run out before the ...\n"
        "\n"
        "LIMIT                     USED      OF  RUNS OUT   RESETS\n"
        "*/cost_usd/month        $10.25  $10.00  now        -\n"
        "gemini.../requests/day      16      20  in 2h 00m  in 7h 12m\n"
        "gemini...ut_tokens/60s   12.3k    250k  -          in 42s\n"
        "gemini-3/requests/day        0      20  unknown    -\n"
        "gemini.../requests/day       0       0  -          -\n"
        "q quits\n");
}

TEST_CASE("what waits, and what others use, has columns only where there is any") {
  json quota = three_limits();
  quota["limits"][0]["waiting"] = 3;
  quota["limits"][0]["used_elsewhere"] = 6;
  CHECK(joined(render_top(frame_of(quota, 140, 10), kDaemon, kAscii)) ==
        "weir top  http://127.0.0.1:8411                                                                     "
        "                             data 0s old\n"
        "5 limits, 3 in use, 1 used up, 1 will run out before the reset, 3 waiting\n"
        "\n"
        "LIMIT                                            USED  HELD  WAIT  ELSE      OF   PACE/H  RUNS OUT  "
        " RESETS     SOURCE\n"
        "*/cost_usd/month                   ##########  $10.25    $0     0    $0  $10.00  unknown  now       "
        " -          configured, not enforced\n"
        "gemini-2.5-flash/requests/day      #####%%%+.      16     1     3     6      20      1.5  in 2h 00m "
        " in 7h 12m  published 2026-09-04\n"
        "gemini-2.5-flash/input_tokens/60s  #.........   12.3k     0     0     0    250k    46.5k  -         "
        " in 42s     published 2026-09-04\n"
        "gemini-3/requests/day              ..........       0     0     0     0      20  unknown  unknown   "
        " -          published 2026-09-04\n"
        "gemini-off/requests/day            ##########       0     0     0     0       0  unknown  -         "
        " -          published 2026-09-04\n"
        "q quits\n");
}

TEST_CASE("a frame is never wider or longer than its terminal") {
  for (const std::size_t columns : {1U, 5U, 20U, 40U, 60U, 80U, 200U}) {
    for (const std::size_t lines : {1U, 2U, 3U, 5U, 6U, 24U}) {
      CAPTURE(columns);
      CAPTURE(lines);
      Frame frame = frame_of(many(30), columns, lines);
      frame.trouble = "no daemon at http://127.0.0.1:8411 (connection refused): start it with `weir serve`";
      const Drawn drawn = render_top(frame, kDaemon, kAscii);
      CHECK(drawn.lines.size() <= lines);
      // The columns that matter need sixty.
      if (columns >= 60) {
        for (const std::string& line : drawn.lines) CHECK(display_width(line) <= columns);
      }
    }
  }
}

TEST_CASE("more limits than lines scroll, and scrolling ends at the last") {
  Frame frame = frame_of(many(30), 80, 15);
  frame.first = 3;
  Drawn drawn = render_top(frame, kDaemon, kAscii);
  CHECK(drawn.rows == 30);
  CHECK(drawn.visible == 10);
  CHECK(drawn.lines[4].starts_with("m103/requests/day"));
  CHECK(drawn.lines[13].starts_with("m112/requests/day"));
  CHECK(drawn.lines[14].ends_with("4 to 13 of 30"));
  frame.first = 99;
  drawn = render_top(frame, kDaemon, kAscii);
  CHECK(drawn.lines[4].starts_with("m120/requests/day"));
  CHECK(drawn.lines[14].ends_with("21 to 30 of 30"));
}

TEST_CASE("without the daemon the last answer stays, with its age") {
  Frame frame = frame_of(three_limits(), 80, 10);
  frame.age = std::chrono::seconds(75);
  frame.now += frame.age;
  frame.trouble = "no daemon at http://127.0.0.1:8411 (connection refused): start it with `weir serve`";
  const Drawn drawn = render_top(frame, kDaemon, kAscii);
  CHECK(drawn.lines[0] == "weir top  http://127.0.0.1:8411                                  data 1m 15s old");
  CHECK(drawn.lines[1] == "trying again: no daemon at http://127.0.0.1:8411 (connection refused): start ...");
  CHECK(drawn.lines[5].find("in 1h 59m") != std::string::npos);  // time goes on
}

TEST_CASE("no limits are said to be none") {
  CHECK(render_top(frame_of(answer({}), 80, 10), kDaemon, kAscii).lines[1] == "0 limits, 0 in use");
}

TEST_CASE("keys are read one by one, and what is none is skipped") {
  using enum Key;
  CHECK(read_keys("q") == std::vector{quit});
  CHECK(read_keys("\x03") == std::vector{quit});
  CHECK(read_keys("\x1b[A\x1b[B\x1bOA\x1bOB") == std::vector{up, down, up, down});
  CHECK(read_keys("\x1b[5~\x1b[6~\x1b[H\x1b[F\x1b[1~\x1b[4~") ==
        std::vector{page_up, page_down, home, end, home, end});
  CHECK(read_keys("jk gG") == std::vector{down, up, page_down, home, end});
  CHECK(read_keys("xyz\x1b\x1b[200~\x1b[1;5C").empty());
  CHECK(read_keys("\x1b[").empty());
  CHECK(read_keys("\x1b[Bq") == std::vector{down, quit});
}

TEST_CASE("only lines that changed are drawn again") {
  Screen screen;
  CHECK(screen.update({"a", "b"}) == "\x1b[?2026h\x1b[H\x1b[2J\x1b[1;1H\x1b[2Ka\x1b[2;1H\x1b[2Kb\x1b[?2026l");
  CHECK(screen.update({"a", "b"}).empty());
  CHECK(screen.update({"a", "c"}) == "\x1b[?2026h\x1b[2;1H\x1b[2Kc\x1b[?2026l");
  CHECK(screen.update({"a"}) == "\x1b[?2026h\x1b[2;1H\x1b[J\x1b[?2026l");
  screen.forget();
  CHECK(screen.update({"a"}) == "\x1b[?2026h\x1b[H\x1b[2J\x1b[1;1H\x1b[2Ka\x1b[?2026l");
}

}  // namespace weir::daemon
