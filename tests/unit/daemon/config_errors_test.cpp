#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "daemon/config.hpp"
#include "daemon/listen_address.hpp"
#include "text/suggest.hpp"

#include "fixture.hpp"

namespace weir::daemon {
namespace {

std::string errors_in(std::string_view text) {
  return errors_of(parse_config(text, "weir.toml", test_environment(), small_catalog()));
}

struct Bad {
  std::string what;
  const char* text;
  const char* errors;
};

const std::vector<Bad> kServer = {
    {"not TOML at all", "[server\nlisten = 1\n", "weir.toml:1:8: "},
    {"misspelt key", "[server]\nlisen = [\"127.0.0.1:1\"]\n",
     "weir.toml:2:1: unknown key \"lisen\" in [server]: did you mean \"listen\"?\n"},
    {"misspelt table", "[sever]\nlisten = []\n",
     "weir.toml:1:2: unknown key \"sever\": did you mean \"server\"?\n"},
    {"key like no other", "[queue]\nspeed = 1\n",
     "weir.toml:2:1: unknown key \"speed\" in [queue]; known are max_wait_s, max_waiting and max_open\n"},
    {"table that is no table", "server = 1\n", "weir.toml:1:10: server must be a table, not an integer\n"},
    {"less held than one body", "[proxy]\nmax_metered_body_bytes = 4096\nmax_held_bytes = 2048\n",
     "weir.toml:3:18: max_held_bytes (2048) must be at least max_metered_body_bytes (4096): a body of that "
     "size "
     "could never be held\n"},
    {"wrong type", "[server]\nlisten = \"127.0.0.1:1\"\n",
     "weir.toml:2:10: listen must be a list of texts, not a text\n"},
    {"wrong type in a list", "[server]\nlisten = [\"127.0.0.1:1\", 2]\n",
     "weir.toml:2:26: listen must be a list of texts, but holds an integer\n"},
    {"twice", "[server]\nlisten = [\"127.0.0.1:1\", \"127.0.0.1:1\"]\n",
     "weir.toml:2:26: listen holds \"127.0.0.1:1\" twice\n"},
    {"nowhere to listen", "[server]\nlisten = []\n",
     "weir.toml:2:10: listen is empty: give at least one address\n"},
    {"name instead of address", "[server]\nlisten = [\"localhost:8411\"]\n",
     "weir.toml:2:11: \"localhost:8411\" needs a numeric address: \"127.0.0.1:8411\"\n"},
    {"public without token", "[server]\nlisten = [\"127.0.0.1:1\", \"0.0.0.0:1\"]\n",
     "weir.toml:2:26: \"0.0.0.0:1\" can be reached from other machines: set token_file to the name of a file "
     "with a "
     "bearer token, or listen on 127.0.0.1\n"},
    {"secret that is not there", "[server]\ntoken_file = \"/nonexistent/t\"\n",
     "weir.toml:2:14: cannot read token_file /nonexistent/t: No such file or directory\n"},
    {"out of range", "[server]\nmax_body_bytes = 67108865\n",
     "weir.toml:2:18: max_body_bytes must be 1024 to 67108864, not 67108865\n"},
    {"fraction for a count", "[server]\nmax_connections = 1.5\n",
     "weir.toml:2:19: max_connections must be an integer, not a fractional number\n"},
};

const std::vector<Bad> kLedgerAndQueue = {
    {"misspelt word", "[ledger]\ndurability = \"proces\"\n",
     "weir.toml:2:14: durability must be \"process\" or \"power\", not \"proces\" (did you mean "
     "\"process\"?)\n"},
    {"word like no other", "[ledger]\non_failure = \"explode\"\n",
     "weir.toml:2:14: on_failure must be \"spool\" or \"deny\", not \"explode\"\n"},
    {"a window longer than the retention",
     "[ledger]\nretention_days = 7\n[[projects]]\nname = \"p\"\nuse_catalog = false\n[[projects.limits]]\n"
     "models = [\"*\"]\nmetric = \"requests\"\nwindow = \"8d\"\namount = 1\n",
     "weir.toml:1:1: limit */requests/192h of project p counts longer than ledger.retention_days = 7 keeps "
     "calls"},
    {"a consumer's window longer than the retention",
     "[ledger]\nretention_days = 1\n[[consumers]]\nname = \"c\"\n[[consumers.limits]]\nmodels = [\"*\"]\n"
     "metric = \"requests\"\nwindow = \"25h\"\namount = 1\n",
     "weir.toml:1:1: limit */requests/25h@c of consumer c counts longer than ledger.retention_days = 1"},
    {"no retention", "[ledger]\nretention_days = 0\n",
     "weir.toml:2:18: retention_days must be 1 to 36500, not 0\n"},
    {"empty path", "[ledger]\npath = \"\"\n", "weir.toml:2:8: path is empty\n"},
    {"endless patience", "[queue]\nmax_wait_s = inf\n",
     "weir.toml:2:14: max_wait_s must be 0 to 86400, not inf\n"},
    {"no number", "[queue]\nmax_wait_s = nan\n", "weir.toml:2:14: max_wait_s must be 0 to 86400, not nan\n"},
};

const std::vector<Bad> kProjects = {
    {"no name", "[[projects]]\ntier = \"free\"\n",
     "weir.toml:1:1: missing key \"name\" in [[projects]]: requests name the project by it\n"},
    {"name that no path can hold", "[[projects]]\nname = \"a/b\"\n",
     "weir.toml:2:8: name \"a/b\" must be 1 to 64 letters, digits, '.', '_' or '-', and begin with a letter, "
     "a digit or "
     "'_'\n"},
    {"same name twice", "[[projects]]\nname = \"a\"\n[[projects]]\nname = \"a\"\n",
     "weir.toml:4:8: the name \"a\" is already that of the project in line 2\n"},
    {"unknown provider", "[[projects]]\nname = \"a\"\nprovider = \"gemni\"\n",
     "weir.toml:3:12: provider \"gemni\" is not known: known are gemini and groq (did you mean "
     "\"gemini\"?)\n"},
    {"unknown tier", "[[projects]]\nname = \"a\"\ntier = \"tier9\"\n",
     "weir.toml:3:8: tier \"tier9\" is not known for gemini: known are free and tier1 (did you mean "
     "\"tier1\"?)\n"},
    {"no date", "[[projects]]\nname = \"a\"\nas_of = \"yesterday\"\n",
     "weir.toml:3:9: as_of must be a date as \"2026-11-22\", not \"yesterday\"\n"},
    {"no scheme", "[[projects]]\nname = \"a\"\nbase_url = \"example.org\"\n",
     "weir.toml:3:12: base_url \"example.org\" must begin with https:// or http://\n"},
    {"port beyond all", "[[projects]]\nname = \"a\"\nbase_url = \"http://127.0.0.1:70000\"\n",
     "weir.toml:3:12: base_url \"http://127.0.0.1:70000\" is not https://host[:port], with a port from 1 to "
     "65535\n"},
    {"port with a letter", "[[projects]]\nname = \"a\"\nbase_url = \"https://host:80a/v1\"\n",
     "weir.toml:3:12: base_url \"https://host:80a/v1\" is not https://host[:port], with a port from 1 to "
     "65535\n"},
    {"bracket left open", "[[projects]]\nname = \"a\"\nbase_url = \"https://[::1\"\n",
     "weir.toml:3:12: base_url \"https://[::1\" is not https://host[:port], with a port from 1 to 65535\n"},
    {"too much guard", "[[projects]]\nname = \"a\"\nguard_s = 61\n",
     "weir.toml:3:11: guard_s must be 0 to 60, not 61\n"},
    {"single brackets", "[projects]\nname = \"a\"\n",
     "weir.toml:1:1: projects must be a list of tables, [[projects]], not a table\n"},
    {"pool named as a project", "[[projects]]\nname = \"a\"\n[[pools]]\nname = \"a\"\nprojects = [\"a\"]\n",
     "weir.toml:4:8: the name \"a\" is already that of a project: requests could not tell them apart\n"},
    {"pool of strangers",
     "[[projects]]\nname = \"team-a\"\n[[pools]]\nname = \"p\"\nprojects = [\"team-a\", \"tema-a\"]\n",
     "weir.toml:5:23: there is no project \"tema-a\" (did you mean \"team-a\"?): projects are team-a\n"},
    {"pool of none", "[[pools]]\nname = \"p\"\n",
     "weir.toml:1:1: missing key \"projects\" in [[pools]]: a pool needs at least one project\n"},
    {"fallback to itself",
     "[[pools]]\nname = \"p\"\nprojects = [\"default\"]\nfallback = { \"m\" = [\"m\"] }\n",
     "weir.toml:4:20: fallback of \"m\" names the model itself\n"},
    {"unknown priority", "[[consumers]]\nname = \"c\"\npriority = \"hihg\"\n",
     "weir.toml:3:12: priority must be \"high\", \"normal\" or \"low\", not \"hihg\" (did you mean "
     "\"high\"?)\n"},
    {"no share", "[[consumers]]\nname = \"c\"\nmax_share = 0\n",
     "weir.toml:3:13: max_share must be above 0: it is the part of a limit that the consumer may use\n"},
    {"more than all", "[[consumers]]\nname = \"c\"\nmax_share = 1.5\n",
     "weir.toml:3:13: max_share must be 0 to 1, not 1.5\n"},
    {"weightless", "[[consumers]]\nname = \"c\"\nweight = 0.0\n",
     "weir.toml:3:10: weight must be at least 0.001\n"},
};

// Each follows two lines of a project, and begins its limit in line 3.
const std::vector<Bad> kLimits = {
    {"empty", "",
     "weir.toml:3:1: missing key \"models\" in [[projects.limits]]: name the models that share the limit, "
     "[\"*\"] for all\n"
     "weir.toml:3:1: missing key \"metric\" in [[projects.limits]]: say what it counts, as in metric = "
     "\"requests\"\n"
     "weir.toml:3:1: missing key \"amount\" in [[projects.limits]]: say how much a window allows, as in "
     "amount = 20\n"},
    {"no models", "models = []\nmetric = \"requests\"\nwindow = \"day\"\namount = 1\n",
     "weir.toml:4:10: models is empty: name the models that share the limit, [\"*\"] for all\n"},
    {"comma in a model", "models = [\"a,b\"]\nmetric = \"requests\"\nwindow = \"day\"\namount = 1\n",
     "weir.toml:4:11: model \"a,b\" holds a comma or a blank: each model is a text of its own\n"},
    {"unknown metric", "models = [\"a\"]\nmetric = \"request\"\nwindow = \"day\"\namount = 1\n",
     "weir.toml:5:10: metric must be \"requests\", \"input_tokens\", \"output_tokens\", \"total_tokens\", "
     "\"images\", "
     "\"cost_usd\" or \"in_flight\", not \"request\" (did you mean \"requests\"?)\n"},
    {"unknown window", "models = [\"a\"]\nmetric = \"requests\"\nwindow = \"year\"\namount = 1\n",
     "weir.toml:6:10: window \"year\" must be \"day\", \"week\", \"month\" or a duration of 1s to 31d as "
     "\"60s\", \"10m\", "
     "\"1h\"\n"},
    {"negative amount", "models = [\"a\"]\nmetric = \"requests\"\nwindow = \"day\"\namount = -1\n",
     "weir.toml:7:10: amount must be 0 to 9007199254740991, not -1\n"},
    {"wrong in everything", "models = []\nmetric = \"request\"\nwindow = \"year\"\namount = -1\n",
     "weir.toml:4:10: models is empty: name the models that share the limit, [\"*\"] for all\n"
     "weir.toml:5:10: metric must be \"requests\", \"input_tokens\", \"output_tokens\", \"total_tokens\", "
     "\"images\", \"cost_usd\" or \"in_flight\", not \"request\" (did you mean \"requests\"?)\n"
     "weir.toml:6:10: window \"year\" must be \"day\", \"week\", \"month\" or a duration of 1s to 31d as "
     "\"60s\", \"10m\", \"1h\"\n"
     "weir.toml:7:10: amount must be 0 to 9007199254740991, not -1\n"},
    {"fraction of a request", "models = [\"a\"]\nmetric = \"requests\"\nwindow = \"day\"\namount = 1.5\n",
     "weir.toml:7:10: amount must be an integer, not a fractional number\n"},
    {"zone on Mars",
     "models = [\"a\"]\nmetric = \"requests\"\nwindow = \"day\"\namount = 1\ntime_zone = \"Mars/Olympus\"\n",
     "weir.toml:8:13: there is no time zone \"Mars/Olympus\": it takes IANA names as \"America/Los_Angeles\" "
     "or \"UTC\"\n"},
    {"zone of a minute",
     "models = [\"a\"]\nmetric = \"requests\"\nwindow = \"60s\"\namount = 1\ntime_zone = \"UTC\"\n",
     "weir.toml:8:13: time_zone has no meaning for window \"60s\": only days, weeks and months have one\n"},
    {"window in flight", "models = [\"a\"]\nmetric = \"in_flight\"\nwindow = \"60s\"\namount = 1\n",
     "weir.toml:6:10: window must be left out for metric in_flight: a call counts while it is open\n"},
    {"same limit twice",
     "models = [\"a\"]\nmetric = \"requests\"\nwindow = \"60s\"\namount = 1\n[[projects.limits]]\nmodels = "
     "[\"a\"]\n"
     "metric = \"requests\"\nwindow = \"60s\"\namount = 2\n",
     "weir.toml:8:1: limit \"a/requests/60s\" is already given in line 3\n"},
};

}  // namespace

TEST_CASE("each mistake is told with its place and what to do") {
  for (const auto* table : {&kServer, &kLedgerAndQueue, &kProjects}) {
    for (const Bad& bad : *table) {
      INFO(bad.what);
      const std::string errors = errors_in(bad.text);
      if (std::string_view(bad.errors).ends_with('\n')) {
        CHECK(errors == bad.errors);
      } else {
        CHECK(errors.starts_with(bad.errors));  // the parser's own words follow
      }
    }
  }
}

TEST_CASE("each mistake in a limit is told with its place and what to do") {
  for (const Bad& bad : kLimits) {
    INFO(bad.what);
    CHECK(errors_in("[[projects]]\nname = \"p\"\n[[projects.limits]]\n" + std::string(bad.text)) ==
          bad.errors);
  }
}

TEST_CASE("all errors of a file are told at once, in the order of the file") {
  CHECK(errors_in("[queue]\nmax_open = 0\n\n[server]\nlisten = 3\nport = 8411\n\n[[pools]]\nname = \"p\"\n"
                  "projects = [\"x\"]\n") ==
        "weir.toml:2:12: max_open must be 1 to 10000000, not 0\n"
        "weir.toml:5:10: listen must be a list of texts, not an integer\n"
        "weir.toml:6:1: unknown key \"port\" in [server]; known are listen, token_file, allowed_hosts, "
        "max_connections, "
        "max_header_bytes and max_body_bytes\n"
        "weir.toml:10:13: there is no project \"x\": projects are default\n");
}

TEST_CASE("a file that cannot be read, or is none, is one error") {
  CHECK(errors_of(load_config("/nonexistent/weir.toml", test_environment(), small_catalog())) ==
        "/nonexistent/weir.toml: cannot read the configuration: No such file or directory\n");
  CHECK(errors_of(load_config("/tmp", test_environment(), small_catalog())) ==
        "/tmp: cannot read the configuration: it is not a regular file\n");
  const TempDirectory directory;
  const std::string fifo = directory.path("fifo");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(errors_of(load_config(fifo, test_environment(), small_catalog())) ==
        fifo + ": cannot read the configuration: it is not a regular file\n");
  const auto load_of_size = [&](std::size_t size) {
    return load_config(directory.write("long.toml", std::string(size, '\n')), test_environment(),
                       small_catalog());
  };
  CHECK(errors_of(load_of_size(1024 * 1024)).empty());
  CHECK(errors_of(load_of_size(1024 * 1024 + 1))
            .ends_with("long.toml: cannot read the configuration: it is longer than 1 MiB\n"));
}

TEST_CASE("a relative ledger needs a state directory") {
  CHECK(errors_of(parse_config("[ledger]\npath = \"w.db\"\n", "weir.toml", {}, small_catalog())) ==
        "weir.toml:2:8: ledger path \"w.db\" is relative, and there is no state directory: give an absolute "
        "path, or set "
        "STATE_DIRECTORY, XDG_STATE_HOME or HOME\n");
}

TEST_CASE("an error never shows what a secret's file holds") {
  const TempDirectory directory;
  const std::string two_lines = directory.write("two", "first\nsecond\n");
  const std::string empty = directory.write("empty", "\n");
  const auto error = [](const std::string& file) {
    return errors_in("[[projects]]\nname = \"p\"\napi_key_file = \"" + file + "\"\n");
  };
  CHECK(error(two_lines) == "weir.toml:3:16: cannot read api_key_file " + two_lines +
                                ": it must hold one line of printable ASCII without blanks\n");
  CHECK(error(empty) == "weir.toml:3:16: cannot read api_key_file " + empty + ": it is empty\n");
}

TEST_CASE("a CA file that is not there, and one token for two consumers, are errors") {
  CHECK(errors_in("[[projects]]\nname = \"p\"\nca_file = \"/nowhere/ca.pem\"\n") ==
        "weir.toml:3:11: ca_file /nowhere/ca.pem is not there\n");
  const TempDirectory directory;
  const std::string token = directory.write("t", "same");
  CHECK(errors_in("[[consumers]]\nname = \"a\"\ntoken_file = \"" + token +
                  "\"\n[[consumers]]\nname = \"b\"\n" + "token_file = \"" + token + "\"\n") ==
        "weir.toml:6:14: the token is also that of consumer \"a\"\n");
}

TEST_CASE("a suggestion is near, or is not made") {
  const std::vector<std::string_view> words = {"listen", "token_file", "weight"};
  CHECK(nearest("lisetn", words) == "listen");
  CHECK(nearest("Listen", words) == "listen");
  CHECK(nearest("tokenfile", words) == "token_file");
  CHECK(nearest("token-file", words) == "token_file");
  CHECK(nearest("port", words).empty());
  CHECK(nearest("", words).empty());
}

TEST_CASE("addresses to listen on are numeric, and loopback is told from the world") {
  CHECK(parse_listen("127.0.0.1:8411").local());
  CHECK(parse_listen("127.9.9.9:0").local());
  CHECK(parse_listen("[::1]:8411").local());
  CHECK(parse_listen("unix:/run/weir/weir.sock").local());
  CHECK(!parse_listen("192.168.1.1:80").local());
  CHECK(parse_listen("[::]:80").problem.empty());
  CHECK(!parse_listen("[::]:80").local());
  CHECK(parse_listen("[::1]:8411").host == "::1");
  CHECK(parse_listen("[::1]:8411").port == 8411);
  for (const char* bad :
       {"", "8411", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:80x", "::1:80",
        "[::1]", "[127.0.0.1]:80", "*:80", ":80", "unix:weir.sock", "unix:", "example.org:80"}) {
    CHECK_MESSAGE(!parse_listen(bad).problem.empty(), bad);
  }
}

}  // namespace weir::daemon
