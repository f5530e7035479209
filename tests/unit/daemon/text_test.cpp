#include <doctest/doctest.h>

#include "daemon/text/human.hpp"
#include "daemon/text/table.hpp"
#include "daemon/time_argument.hpp"
#include "time/rfc3339.hpp"

namespace weir::daemon {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

TEST_CASE("counts keep three digits") {
  CHECK(human_count(0) == "0");
  CHECK(human_count(999) == "999");
  CHECK(human_count(1000) == "1k");
  CHECK(human_count(1500) == "1.5k");
  CHECK(human_count(1234) == "1.23k");
  CHECK(human_count(12'345) == "12.3k");
  CHECK(human_count(250'000) == "250k");
  CHECK(human_count(999'499) == "999k");
  CHECK(human_count(999'500) == "1M");
  CHECK(human_count(1'500'000) == "1.5M");
  CHECK(human_count(2'000'000'000) == "2G");
  CHECK(human_count(-1500) == "-1.5k");
}

TEST_CASE("money shows cents from a dollar on, and what there is below") {
  CHECK(human_dollars(0) == "$0");
  CHECK(human_dollars(0.000123) == "$0.000123");
  CHECK(human_dollars(0.25) == "$0.25");
  CHECK(human_dollars(1.25) == "$1.25");
  CHECK(human_dollars(10) == "$10.00");
}

TEST_CASE("what an answer says cannot write on the terminal, neither by a table nor by a line") {
  const nlohmann::json answer = {{"name", "a\x1b[2J\u009b2J"}};
  CHECK(text_at(answer, "name") == "a\\x1b[2J\\xc2\\x9b2J");
  CHECK(render_table({{"name"}}, {{{"a\nb"}}}, Look{}) == "name\na\\nb\n");
}

TEST_CASE("a wait is never told too short") {
  CHECK(human_duration(seconds(0)) == "now");
  CHECK(human_duration(milliseconds(200)) == "1s");
  CHECK(human_duration(seconds(59)) == "59s");
  CHECK(human_duration(milliseconds(59'001)) == "1m 00s");
  CHECK(human_duration(seconds(125)) == "2m 05s");
  CHECK(human_duration(hours(1)) == "1h 00m");
  CHECK(human_duration(hours(1) + seconds(1)) == "1h 01m");
  CHECK(human_duration(hours(7) + minutes(12)) == "7h 12m");
  CHECK(human_duration(hours(24)) == "1d 0h");
  CHECK(human_duration(hours(76) + minutes(1)) == "3d 5h");
}

TEST_CASE("tokens are told short, everything else exactly") {
  CHECK(human_amount("input_tokens", 250'000) == "250k");
  CHECK(human_amount("requests", 14'400) == "14400");
  CHECK(human_amount("cost_usd", 9.5) == "$9.50");
}

TEST_CASE("a rate below ten has a decimal") {
  CHECK(human_rate("requests", 0) == "0");
  CHECK(human_rate("requests", 0.42) == "0.4");
  CHECK(human_rate("requests", 9.99) == "10");
  CHECK(human_rate("input_tokens", 46'472.73) == "46.5k");
  CHECK(human_rate("cost_usd", 0.25) == "$0.25");
}

TEST_CASE("a text too long loses its end") {
  const Look ascii{0, false, false};
  CHECK(cut_end("abcdef", 6, ascii) == "abcdef");
  CHECK(cut_end("abcdef", 5, ascii) == "ab...");
  CHECK(cut_end("abcdef", 5, Look{}) == "abcd…");
  CHECK(cut_end("abcdef", 2, ascii) == "ab");
  CHECK(cut_end("abcdef", 0, ascii) == "abcdef");
}

TEST_CASE("a bar is full only at the limit and empty only without use") {
  const Look ascii{0, false, false};
  CHECK(bar({.ours = 0, .held = 0, .amount = 20}, 10, ascii) == "..........");
  CHECK(bar({.ours = 1, .held = 0, .amount = 1000}, 10, ascii) == "#.........");
  CHECK(bar({.ours = 5, .held = 0, .amount = 10}, 10, ascii) == "#####.....");
  CHECK(bar({.ours = 5, .held = 2, .amount = 10}, 10, ascii) == "#####++...");
  CHECK(bar({.ours = 999, .held = 0, .amount = 1000}, 10, ascii) == "#########.");
  CHECK(bar({.ours = 999, .held = 1, .amount = 1000}, 10, ascii) == "#########+");
  CHECK(bar({.ours = 20, .held = 0, .amount = 20}, 10, ascii) == "##########");
  CHECK(bar({.ours = 30, .held = 0, .amount = 20}, 10, ascii) == "##########");
  CHECK(bar({.ours = 0, .held = 3, .amount = 3}, 10, ascii) == "++++++++++");
  CHECK(bar({.ours = 5, .held = 2, .amount = 10}, 10, Look{}) == "█████▒▒░░░");
  CHECK(bar({.ours = 5, .elsewhere = 2, .held = 1, .amount = 10}, 10, ascii) == "#####%%+..");
  CHECK(bar({.ours = 1, .elsewhere = 1, .held = 1, .amount = 1000}, 10, ascii) == "#.........");
  CHECK(bar({.ours = 0, .elsewhere = 10, .held = 0, .amount = 10}, 10, ascii) == "%%%%%%%%%%");
  CHECK(bar({.ours = 10, .held = 1, .amount = 20}, 20, Look{}) == "██████████▒░░░░░░░░░");
}

TEST_CASE("text is cut in the middle, by code points") {
  const Look look;
  CHECK(cut_middle("short", 10, look) == "short");
  CHECK(cut_middle("gemini-2.5-flash/requests/day", 16, look) == "gemin…quests/day");
  CHECK(cut_middle("äöüäöüäöü", 4, look) == "ä…öü");
  CHECK(cut_middle("abcdefghij", 7, Look{0, false, false}) == "a...hij");
  CHECK(cut_middle("abcdef", 1, look) == "a");
}

TEST_CASE("a table cuts what may be cut, then drops columns in their order") {
  const std::vector<Column> columns = {{"NAME", false, 0, 6}, {"N", true}, {"EXTRA", false, 1}};
  const std::vector<std::vector<Cell>> rows = {{{"a-rather-long-name"}, {"1"}, {"x"}}, {{"b"}, {"22"}, {""}}};
  CHECK(render_table(columns, rows, Look{}) ==
        "NAME                 N  EXTRA\n"
        "a-rather-long-name   1  x\n"
        "b                   22\n");
  CHECK(render_table(columns, rows, Look{20}) ==
        "NAME        N  EXTRA\n"
        "a-…g-name   1  x\n"
        "b          22\n");
  CHECK(render_table(columns, rows, Look{14}) ==
        "NAME         N\n"
        "a-r…g-name   1\n"
        "b           22\n");
}

TEST_CASE("colour is used only when asked for") {
  CHECK(paint("x", Style::bad, Look{}) == "x");
  CHECK(paint("x", Style::bad, Look{0, true}) == "\x1b[31mx\x1b[0m");
  CHECK(paint("x", Style::plain, Look{0, true}) == "x");
}

TEST_CASE("a time is a date, an instant or an age") {
  const WallTime now = parse_rfc3339("2026-11-22T12:00:00Z").value();
  CHECK(parse_time_argument("now", now) == now);
  CHECK(parse_time_argument("24h", now) == now - hours(24));
  CHECK(parse_time_argument("7d", now) == now - hours(7 * 24));
  CHECK(parse_time_argument("1h30m", now) == now - minutes(90));
  CHECK(parse_time_argument("2026-11-01", now) == parse_rfc3339("2026-11-01T00:00:00Z"));
  CHECK(parse_time_argument("2026-11-01T08:00:00+01:00", now) == parse_rfc3339("2026-11-01T07:00:00Z"));
  for (const char* bad : {"", "yesterday", "24", "-1h", "2026-13-01"})
    CHECK_MESSAGE(!parse_time_argument(bad, now), bad);
}

}  // namespace weir::daemon
