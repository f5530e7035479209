#include "daemon/config.hpp"

#include <algorithm>

#include <doctest/doctest.h>

#include "fixture.hpp"

namespace weir::daemon {
namespace {

Config good(std::string_view text, const std::string& file = "weir.toml",
            const Environment& environment = test_environment()) {
  const ConfigResult result = parse_config(text, file, environment, small_catalog());
  CHECK(errors_of(result) == "");
  REQUIRE(std::holds_alternative<Config>(result));
  return std::get<Config>(result);
}

// Section 2 of the contract; the pool's projects are added, and the consumer's limit is filled in.
constexpr auto kContract = R"(
[server]
listen = ["127.0.0.1:8411", "unix:/run/weir/weir.sock"]
token_file = "admin.token"     # bearer token; required as soon as an address is neither loopback nor unix
allowed_hosts = []

[ledger]
path = "weir.db"
durability = "process"
retention_days = 90
on_failure = "spool"
spool_calls = 100000

[queue]
max_wait_s = 60
max_waiting = 1000

[[projects]]
name = "default"
provider = "gemini"
tier = "free"
as_of = "2026-11-22"
use_catalog = true
explore = false
api_key_file = "gemini.key"
base_url = "https://generativelanguage.googleapis.com"

  [[projects.limits]]
  models = ["gemini-2.5-flash"]
  metric = "requests"
  window = "day"
  amount = 20
  time_zone = "America/Los_Angeles"
  enforce = true

[[projects]]
name = "team-a"
[[projects]]
name = "team-b"

[[pools]]
name = "prod"
projects = ["team-a", "team-b"]
fallback = { "gemini-2.5-pro" = ["gemini-2.5-flash"] }

[[consumers]]
name = "nightly-batch"
priority = "low"
weight = 1
max_share = 0.5
  [[consumers.limits]]
  models = ["gemini-*"]
  metric = "cost_usd"
  window = "week"
  amount = 1.5
)";

}  // namespace

TEST_CASE("without a file, the contract's defaults hold") {
  const ConfigResult result = default_config(test_environment(), small_catalog());
  REQUIRE(std::holds_alternative<Config>(result));
  const Config& config = std::get<Config>(result);
  CHECK(config.file.empty());
  CHECK(config.server == ServerConfig{});
  CHECK(config.server.listen == std::vector<std::string>{"127.0.0.1:8411"});
  CHECK(config.queue == QueueConfig{});
  CHECK(config.estimates.quantile == 0.95);
  CHECK(config.ledger.path == "/home/somebody/.local/state/weir/weir.db");
  CHECK(config.ledger.retention_days == 90);
  CHECK(config.ledger.spool_calls == 100'000);
  REQUIRE(config.projects.size() == 1);
  const ProjectConfig& project = config.projects.front();
  CHECK(project.name == "default");
  CHECK(project.provider == "gemini");
  CHECK(project.tier == "free");
  CHECK(project.use_catalog);
  CHECK(project.guard == std::chrono::milliseconds(250));
  CHECK(project.time_zone == "America/Los_Angeles");
  CHECK(project.base_url == "https://gemini.test");
  CHECK(config.pools.empty());
  CHECK(config.consumers.empty());
}

TEST_CASE("a file that says nothing is the default") {
  const Config config = good("# nothing\n");
  CHECK(config.file == "weir.toml");
  CHECK(config.projects.size() == 1);
  CHECK(config.server == ServerConfig{});
}

TEST_CASE("the contract's configuration loads") {
  const TempDirectory directory;
  directory.write("admin.token", "s3cret\n");
  directory.write("gemini.key", "  AIza-key \n", 0400);
  const Config config = good(kContract, directory.write("weir.toml", kContract));

  CHECK(config.warnings.empty());
  CHECK(config.server.listen.size() == 2);
  CHECK(config.server.bearer_token.reveal() == "s3cret");
  REQUIRE(config.projects.size() == 3);
  CHECK(config.projects[0].api_key.reveal() == "AIza-key");
  CHECK(config.projects[0].as_of == "2026-11-22");
  CHECK(config.projects[0].base_url == "https://generativelanguage.googleapis.com");
  REQUIRE(config.projects[0].limits.size() == 1);
  const quota::LimitSpec& limit = config.projects[0].limits[0];
  CHECK(limit.name == "gemini-2.5-flash/requests/day");
  CHECK(limit.metric == Metric::requests);
  CHECK(limit.window == quota::Window{quota::WindowKind::day, {}});
  CHECK(limit.amount == 20);
  CHECK(limit.time_zone == "America/Los_Angeles");
  CHECK(limit.enforce);
  CHECK(limit.source == quota::Source::config);
  CHECK(limit.consumer.empty());
  REQUIRE(config.pools.size() == 1);
  CHECK(config.pools[0].projects == std::vector<std::string>{"team-a", "team-b"});
  CHECK(config.pools[0].fallback.at("gemini-2.5-pro") == std::vector<std::string>{"gemini-2.5-flash"});
  REQUIRE(config.consumers.size() == 1);
  const ConsumerConfig& consumer = config.consumers[0];
  CHECK(consumer.priority == Priority::low);
  CHECK(consumer.max_share == 0.5);
  REQUIRE(consumer.limits.size() == 1);
  CHECK(consumer.limits[0].name == "gemini-*/cost_usd/week@nightly-batch");
  CHECK(consumer.limits[0].consumer == "nightly-batch");
  CHECK(consumer.limits[0].amount == 1'500'000'000);
  CHECK(consumer.limits[0].time_zone.empty());  // each project's own
}

TEST_CASE("the example configuration loads, and with every comment taken away its keys are known") {
  const ConfigResult example =
      load_config(WEIR_EXAMPLE_CONFIG, test_environment(), catalog::Catalog::embedded());
  CHECK(errors_of(example) == "");

  // "# key = value" lines become keys; pools come to life with the projects that they name.
  std::ifstream in(WEIR_EXAMPLE_CONFIG);
  std::string all;
  for (std::string line; std::getline(in, line);) {
    const std::size_t hash = line.find_first_not_of(' ');
    if (hash != std::string::npos && line[hash] == '#') {
      const std::string bare = line.substr(std::min(line.size(), line.find_first_not_of("# ")));
      const bool key = bare.find(" = ") != std::string::npos && bare.find_first_of(" .:") == bare.find(" = ");
      // The first key is there twice: with and without the socket.
      if (!key && !bare.starts_with("[[")) continue;
      if (bare.starts_with("listen")) continue;
      line = bare;
    }
    all += line + "\n";
  }
  all += "[[projects]]\nname = \"team-a\"\n[[projects]]\nname = \"team-b\"\n";
  const TempDirectory directory;
  directory.write("admin.token", "t");
  directory.write("gemini.key", "k");
  directory.write("ca.pem", "");
  directory.write("nightly.token", "n");
  directory.write("proxy.auth", "user:pass");
  const ConfigResult full =
      parse_config(all, directory.path("weir.toml"), test_environment(), catalog::Catalog::embedded());
  CHECK(errors_of(full) == "");
  for (const char* key : {"token_file",
                          "allowed_hosts",
                          "max_connections",
                          "max_header_bytes",
                          "max_body_bytes",
                          "path",
                          "durability",
                          "retention_days",
                          "on_failure",
                          "spool_calls",
                          "max_wait_s",
                          "max_waiting",
                          "max_open",
                          "as_of",
                          "use_catalog",
                          "explore",
                          "guard_s",
                          "api_key_file",
                          "base_url",
                          "time_zone",
                          "enforce",
                          "projects",
                          "fallback",
                          "priority",
                          "weight",
                          "max_share",
                          "quantile",
                          "wait_s",
                          "ca_file",
                          "retry",
                          "max_held_bytes",
                          "via",
                          "via_auth_file",
                          "keep_alive_s",
                          "max_metered_body_bytes"}) {
    CHECK_MESSAGE(all.find("\n" + std::string(key) + " = ") != std::string::npos, key);
  }
}

TEST_CASE("the state directory is the service manager's, else the user's") {
  Environment environment;
  CHECK(!state_directory(environment));
  environment.home = "/home/a";
  CHECK(state_directory(environment) == "/home/a/.local/state/weir");
  environment.xdg_state_home = "relative";  // to be ignored
  CHECK(state_directory(environment) == "/home/a/.local/state/weir");
  environment.xdg_state_home = "/state";
  CHECK(state_directory(environment) == "/state/weir");
  environment.state_directory = "/var/lib/weir:/var/lib/other";
  CHECK(state_directory(environment) == "/var/lib/weir");
}

TEST_CASE("an absolute ledger path is kept, a relative one goes to the state directory") {
  CHECK(good("[ledger]\npath = \"/srv/weir.db\"").ledger.path == "/srv/weir.db");
  CHECK(good("[ledger]\npath = \"a/b.db\"").ledger.path == "/home/somebody/.local/state/weir/a/b.db");
}

TEST_CASE("a secret is looked for beside the configuration, then among the credentials") {
  const TempDirectory directory;
  Environment environment = test_environment();
  environment.credentials_directory = directory.path("credentials");
  directory.write("credentials/only.key", "from-credentials", 0440);
  directory.write("credentials/both.key", "from-credentials");
  directory.write("etc/both.key", "from-beside");
  const std::string absolute = directory.write("absolute.key", "absolute");
  const auto key = [&](const std::string& name) {
    const Config config = good("[[projects]]\nname = \"a\"\napi_key_file = \"" + name + "\"\n",
                               directory.path("etc/weir.toml"), environment);
    CHECK(config.warnings.empty());
    return config.projects[0].api_key.reveal();
  };
  CHECK(key("only.key") == "from-credentials");
  CHECK(key("both.key") == "from-beside");
  CHECK(key(absolute) == "absolute");
}

TEST_CASE("a secret that others can read is a warning that does not show it") {
  const TempDirectory directory;
  const std::string file = directory.write("open.key", "hunter2", 0644);
  const Config config =
      good("[[projects]]\nname = \"a\"\napi_key_file = \"open.key\"\n", directory.path("weir.toml"));
  REQUIRE(config.warnings.size() == 1);
  CHECK(to_string(config.warnings[0]) == directory.path("weir.toml") + ":3:16: api_key_file " + file +
                                             " can be read by others (mode 0644): run chmod 600 on it");
}

TEST_CASE("the proxy's keys: bounds, authorities, consumers' tokens") {
  const TempDirectory directory;
  const std::string ca = directory.write("ca.pem", "");
  directory.write("t", "token");
  const Config config = good(
      "[proxy]\nwait_s = 5\nmax_metered_body_bytes = 2048\nmax_held_bytes = 4096\nretry = "
      "2\nconnect_timeout_s = 1.5\nfirst_byte_timeout_s = "
      "2\n"
      "idle_timeout_s = 3\nkeep_alive_s = 4\nmax_idle_connections = 0\n[[projects]]\nname = \"a\"\n"
      "ca_file = \"ca.pem\"\n[[consumers]]\nname = \"c\"\ntoken_file = \"t\"\n",
      directory.path("weir.toml"));
  CHECK(config.proxy == ProxyConfig{5, 2048, 4096, 2, 1.5, 2, 3, 4, 0});
  CHECK(config.projects[0].ca_file == ca);
  CHECK(config.consumers[0].token.reveal() == "token");
}

TEST_CASE("a base URL without TLS is a warning, unless it stays on this machine") {
  for (const auto& [url, warnings] : {std::pair<const char*, std::size_t>{"http://relay.example/v1", 1},
                                      {"HTTP://10.0.0.1:8080", 1},
                                      {"http://127.0.0.1:8080/v1", 0},
                                      {"http://localhost", 0},
                                      {"http://[::1]:1", 0},
                                      {"https://x.example", 0}}) {
    CAPTURE(url);
    const Config config = good("[[projects]]\nname = \"a\"\nbase_url = \"" + std::string(url) + "\"\n");
    CHECK(config.warnings.size() == warnings);
  }
}

TEST_CASE("a public address is accepted with a token") {
  const TempDirectory directory;
  directory.write("t", "token");
  const Config config = good("[server]\nlisten = [\"0.0.0.0:80\", \"[::]:80\"]\ntoken_file = \"t\"\n",
                             directory.path("weir.toml"));
  CHECK(config.server.bearer_token.reveal() == "token");
}

TEST_CASE("limits take whole numbers, dollars and no window for calls in flight") {
  const Config config = good(R"(
[[projects]]
name = "a"
provider = "groq"
guard_s = 1.5
as_of = 2026-11-22
base_url = "http://relay.test/v1/"
[[projects.limits]]
models = ["x", "y*"]
metric = "cost_usd"
window = "10m"
amount = 3
[[projects.limits]]
models = ["*"]
metric = "in_flight"
amount = 8
enforce = false
[[projects.limits]]
models = ["x"]
metric = "requests"
window = "month"
amount = 0
)");
  const ProjectConfig& project = config.projects[0];
  CHECK(project.guard == std::chrono::milliseconds(1500));
  CHECK(project.as_of == "2026-11-22");
  CHECK(project.base_url == "http://relay.test/v1");
  REQUIRE(project.limits.size() == 3);
  CHECK(project.limits[0].name == "x,y*/cost_usd/10m");
  CHECK(project.limits[0].amount == 3'000'000'000);
  CHECK(project.limits[0].time_zone.empty());
  CHECK(project.limits[1].name == "*/in_flight");
  CHECK(project.limits[1].window.kind == quota::WindowKind::in_flight);
  CHECK(!project.limits[1].enforce);
  CHECK(project.limits[2].time_zone == "UTC");
}

TEST_CASE("a limit's model gets the name that the catalog counts it under, where the catalog is used") {
  constexpr auto kLimit =
      "[[projects.limits]]\nmodels = [\"models/gemini-2.5-flash\"]\nmetric = \"requests\"\n"
      "window = \"day\"\namount = 1\n";
  const Config with = good(std::string("[[projects]]\nname = \"a\"\n") + kLimit);
  CHECK(with.projects[0].limits[0].name == "gemini-2.5-flash/requests/day");
  const Config without = good(std::string("[[projects]]\nname = \"a\"\nuse_catalog = false\n") + kLimit);
  CHECK(without.projects[0].limits[0].name == "models/gemini-2.5-flash/requests/day");
}

TEST_CASE("the configuration to serve is the given one, else the environment's") {
  Environment environment;
  environment.config = "/from/environment.toml";
  CHECK(find_config("/given.toml", environment) == "/given.toml");
  CHECK(find_config("", environment) == "/from/environment.toml");
}

}  // namespace weir::daemon
