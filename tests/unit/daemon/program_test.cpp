#include "daemon/program.hpp"

#include <sstream>

#include <doctest/doctest.h>

#include "time/rfc3339.hpp"

#include "fixture.hpp"

namespace weir::daemon {
namespace {

struct Ran {
  int code = 0;
  std::string out, err;
};

Ran weir(std::vector<std::string> arguments, const std::function<int(const Config&)>& serve = {}) {
  std::ostringstream out, err;
  Environment environment = test_environment();
  environment.url = "unix:/nonexistent/weir.sock";
  environment.config = "/nonexistent/weir.toml";
  Shell shell{environment, out, err, false, Look{0, false, false}, [] { return WallTime(); }};
  Ran ran;
  ran.code = run_program(std::move(arguments), shell, serve);
  ran.out = out.str();
  ran.err = err.str();
  return ran;
}

constexpr auto kNoDaemon =
    "weir: no daemon at unix:/nonexistent/weir.sock (no such file or directory): start it with `weir "
    "serve`\n";

}  // namespace

TEST_CASE("help is data, leads with examples and names every command") {
  const Ran help = weir({"--help"});
  CHECK(help.code == 0);
  CHECK(help.err.empty());
  CHECK(help.out.find("Examples:") < help.out.find("Usage:"));
  for (const char* command : {"serve", "check-config", "check-key", "status", "usage", "admit", "export",
                              "simulate", "catalog", "version"}) {
    CHECK_MESSAGE(help.out.find(std::string("\n  ") + command) != std::string::npos, command);
    const Ran own = weir({command, "--help"});
    CHECK(own.code == 0);
    const std::size_t usage = own.out.find("\nUsage: weir " + std::string(command));
    CHECK(usage != std::string::npos);
    CHECK(own.out.find("\nExamples:\n") < usage);
    CHECK(own.out.ends_with('\n'));
  }
}

TEST_CASE("help shows what an option takes, not how it is checked") {
  const std::string help = weir({"admit", "--help"}).out;
  CHECK(help.find("--wait S ") != std::string::npos);
  CHECK(help.find("--model NAME (required)") != std::string::npos);
  CHECK(help.find(" [-- COMMAND...]\n") != std::string::npos);
  CHECK(help.find(" in [") == std::string::npos);
  CHECK(weir({"export", "calls", "--help"}).out.find("Usage: weir export calls") != std::string::npos);
}

TEST_CASE("wrong usage ends with 2 and a suggestion") {
  CHECK(weir({}).code == 2);
  const Ran command = weir({"statsu", "--json"});
  CHECK(command.code == 2);
  CHECK(command.err ==
        "weir: command \"statsu\" is not known (did you mean \"status\"?); `weir --help` lists them\n");
  const Ran option = weir({"status", "--jsno"});
  CHECK(option.code == 2);
  CHECK(option.err ==
        "weir status: option \"--jsno\" is not known (did you mean \"--json\"?); see `weir status --help`\n");
  CHECK(weir({"--json", "status"}).err ==
        "weir status: give \"--json\" after the command; see `weir status --help`\n");
  CHECK(weir({"admit"}).code == 2);
  CHECK(weir({"admit", "--model", "m", "--"}).code == 2);
  CHECK(weir({"admit", "--model", "m", "--wait", "soon"}).code == 2);
  CHECK(weir({"admit", "--model", "m", "--json", "--", "true"}).code == 2);
  CHECK(weir({"export"}).code == 2);
  CHECK(weir({"export", "calls", "--format", "xml"}).code == 2);
  CHECK(weir({"status", "--watch"}).code == 2);
  CHECK(weir({"status", "--url", "https://x"}).code == 2);
  CHECK(weir({"usage", "--since", "yesterday"}).code == 2);
  CHECK(weir({"usage", "--since", "2026-11-02", "--until", "2026-11-01"}).err ==
        "weir: --until (2026-11-01T00:00:00.000Z) must be after --since (2026-11-02T00:00:00.000Z)\n");
  CHECK(weir({"usage", "--json", "--csv"}).code == 2);
  CHECK(weir({"usage", "--by", "modell"}).err ==
        "weir: --by takes project, model or consumer, not \"modell\" (did you mean \"model\"?)\n");
  CHECK(weir({"catalog", "--provider", "gemni"}).code == 2);
}

TEST_CASE("a number is within its bounds, and is one") {
  for (const char* number : {"nan", "-nan", "inf", "-1", "86400.5", "1e999", "soon", ""}) {
    CAPTURE(number);
    for (const char* option : {"--wait", "--lease"}) {
      const Ran ran = weir({"admit", "--model", "m", std::string(option) + "=" + number});
      CHECK(ran.code == 2);
    }
    CHECK(weir({"top", std::string("--interval=") + number}).code == 2);
    CHECK(weir({"simulate", "--trace", "-", std::string("--jitter=") + number}).code == 2);
  }
  CHECK(weir({"admit", "--model", "m", "--wait", "nan"}).err ==
        "weir admit: --wait: \"nan\" is not a number from 0 to 86400; see `weir admit --help`\n");
  CHECK(weir({"admit", "--model", "m", "--wait", "0", "--lease", "86400"}).code == 3);  // no daemon
  CHECK(weir({"top", "--interval", "0.5"}).code == 3);
}

TEST_CASE("no daemon ends with 3 and what to do") {
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"status"},
                                             {"usage", "--since", "24h"},
                                             {"admit", "--model", "m", "--", "true", "--help"},
                                             {"export", "calls"}}) {
    const Ran ran = weir(arguments);
    CHECK(ran.code == 3);
    CHECK(ran.err == kNoDaemon);
    CHECK(ran.out.empty());
  }
}

TEST_CASE("a configuration is checked, and all errors are told in the form of compilers") {
  const TempDirectory directory;
  const std::string good = directory.write("good.toml", "[queue]\nmax_open = 5\n");
  const Ran fine = weir({"check-config", good});
  CHECK(fine.code == 0);
  CHECK(fine.out == good + ": good: 1 project, 0 pools, 0 consumers, 0 limits beside the catalog's\n");
  const std::string bad = directory.write("bad.toml", "[queue]\nmax_open = 0\nmax_wait = 1\n");
  const Ran wrong = weir({"check-config", bad});
  CHECK(wrong.code == 2);
  CHECK(wrong.err == bad + ":2:12: max_open must be 1 to 10000000, not 0\n" + bad +
                         ":3:1: unknown key \"max_wait\" in [queue]: did you mean \"max_wait_s\"?\n"
                         "weir: the configuration has 2 errors\n");
}

TEST_CASE("serve is called with the configuration, and not with a wrong one") {
  const TempDirectory directory;
  const std::string file = directory.write("weir.toml", "[queue]\nmax_open = 5\n");
  std::size_t max_open = 0;
  const auto serve = [&](const Config& config) {
    max_open = config.queue.max_open;
    return 0;
  };
  CHECK(weir({"serve", "--config", file}, serve).code == 0);
  CHECK(max_open == 5);
  max_open = 0;
  CHECK(weir({"serve"}, serve).code == 2);  // $WEIR_CONFIG names a file that is not there
  CHECK(max_open == 0);
}

TEST_CASE("the version is told with those of the libraries") {
  const Ran json = weir({"version", "--json"});
  CHECK(json.code == 0);
  const auto parsed = nlohmann::json::parse(json.out);
  CHECK(parsed.contains("commit"));
  for (const char* library : {"boost", "sqlite", "simdjson", "fmt", "tzdata"})
    CHECK(parsed["libraries"].contains(library));
  CHECK(weir({"version"}).out.starts_with("weir "));
  CHECK(weir({"--version"}).out.starts_with("weir "));
}

TEST_CASE("the catalog is shown without a daemon") {
  const Ran table = weir({"catalog", "--provider", "gemini", "--tier", "free"});
  CHECK(table.code == 0);
  CHECK(table.out.find("gemini-2.5-flash") != std::string::npos);
  const Ran json = weir({"catalog", "--json"});
  CHECK(json.code == 0);
  CHECK(!nlohmann::json::parse(json.out)["entries"].empty());
}

}  // namespace weir::daemon
