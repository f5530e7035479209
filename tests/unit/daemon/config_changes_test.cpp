#include "daemon/config_changes.hpp"

#include <doctest/doctest.h>

#include "fixture.hpp"

namespace weir::daemon {
namespace {

using Words = std::vector<std::string>;

Config parsed(const TempDirectory& directory, std::string_view text) {
  auto result = parse_config(text, directory.path("weir.toml"), test_environment(), small_catalog());
  REQUIRE(std::holds_alternative<Config>(result));
  return std::get<Config>(std::move(result));
}

constexpr auto kProject = R"(
[[projects]]
name = "a"
use_catalog = false
api_key_file = "key"
[[projects.limits]]
models = ["m"]
metric = "cost_usd"
window = "day"
amount = 1.5
)";

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST_CASE("the same configuration has no changes") {
  const TempDirectory directory;
  directory.write("key", "secret-one");
  CHECK(changes_between(parsed(directory, kProject), parsed(directory, kProject)).empty());
  CHECK(changes_at_next_start(parsed(directory, kProject), parsed(directory, kProject)).empty());
}

TEST_CASE("changes are named with what they were and are; of secrets only that they changed") {
  const TempDirectory directory;
  directory.write("key", "secret-one");
  const Config before = parsed(directory, kProject);
  directory.write("key", "secret-two");
  std::string text = replaced(kProject, "amount = 1.5", "amount = 2");
  text = replaced(text, "use_catalog = false", "tier = \"tier1\"");
  text = replaced(text, "window = \"day\"",
                  "window = \"day\"\n[[projects.limits]]\nmodels = [\"n\"]\nmetric = "
                  "\"requests\"\nwindow = \"60s\"");
  text = replaced(text, "[[projects]]", "[queue]\nmax_waiting = 5\n[[projects]]");
  text += "[[pools]]\nname = \"p\"\nprojects = [\"a\"]\n[[consumers]]\nname = \"c\"\n";
  // The amount of 2 now belongs to the second limit of the text, so the first has none: give it one.
  text = replaced(text, "metric = \"cost_usd\"\nwindow = \"day\"",
                  "metric = \"cost_usd\"\nwindow = \"day\"\namount = 3");
  const Words words = changes_between(before, parsed(directory, text));
  CHECK(words == Words{"project a: tier free -> tier1", "project a: use_catalog false -> true",
                       "project a: key changed", "limit m/cost_usd/day of project a: 1.500000 -> 3.000000",
                       "limit n/requests/60s of project a: added, 2", "pool p: added", "consumer c: added",
                       "[queue]: changed"});
}

TEST_CASE("what the running daemon cannot change is for the next start") {
  const TempDirectory directory;
  directory.write("key", "secret-one");
  const Config before = parsed(directory, kProject);
  const Config after =
      parsed(directory,
             std::string("[server]\nlisten = [\"127.0.0.1:1\"]\n[ledger]\nretention_days = 3\n") + kProject);
  CHECK(changes_between(before, after).empty());
  CHECK(changes_at_next_start(before, after) ==
        Words{"[server] listen = [127.0.0.1:1] takes effect at the next start",
              "[ledger] settings take effect at the next start"});
}

}  // namespace
}  // namespace weir::daemon
