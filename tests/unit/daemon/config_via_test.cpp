// The HTTP proxy on the way to a project's upstream: its keys, else the environment.
#include <doctest/doctest.h>

#include "fixture.hpp"

namespace weir::daemon {
namespace {

Environment with_proxies(const std::string& https, const std::string& no_proxy = "") {
  Environment environment = test_environment();
  environment.https_proxy = https;
  environment.http_proxy = "http://plain.example:1";
  environment.no_proxy = no_proxy;
  return environment;
}

ConfigResult project(const std::string& lines, const Environment& environment,
                     const std::string& file = "weir.toml") {
  return parse_config("[[projects]]\nname = \"a\"\n" + lines, file, environment, small_catalog());
}

// "host:port authorization" of the project's way; "straight".
std::string way(const ConfigResult& result) {
  CAPTURE(errors_of(result));
  REQUIRE(std::holds_alternative<Config>(result));
  const auto& via = std::get<Config>(result).projects.at(0).via;
  return via ? via->authority() + " " + via->authorization : "straight";
}

}  // namespace

TEST_CASE("the environment's proxy is taken by the base URL's scheme, and NO_PROXY excepts") {
  const std::string given = "http://u:p@secure.example:2";
  CHECK(way(project("", with_proxies(given))) == "secure.example:2 " + upstream::basic_authorization("u:p"));
  CHECK(way(project("base_url = \"http://up.test\"", with_proxies(given))) == "plain.example:1 ");
  CHECK(way(project("", with_proxies(""))) == "straight");
  CHECK(way(project("", with_proxies(given, "x.test, gemini.test"))) == "straight");
  CHECK(way(project("base_url = \"https://127.0.0.1:8\"", with_proxies(given))) == "straight");
  CHECK(way(parse_config("", "weir.toml", with_proxies(given), small_catalog())) ==
        "secure.example:2 " + upstream::basic_authorization("u:p"));
}

TEST_CASE("via comes before the environment") {
  CHECK(way(project("via = \"http://own.example\"", with_proxies("http://x:1"))) == "own.example:80 ");
  CHECK(way(project("via = \"none\"", with_proxies("http://x:1"))) == "straight");
  CHECK(way(project("via = \"none\"", with_proxies("socks5://x:1"))) == "straight");
}

TEST_CASE("via_auth_file holds the credentials for via") {
  const TempDirectory directory;
  directory.write("auth", "user:pass\n");
  directory.write("bad", "userpass\n");
  const auto with = [&](const std::string& lines) {
    return project(lines, with_proxies("http://x:1"), directory.path("weir.toml"));
  };
  CHECK(way(with("via = \"http://own.example:3128\"\nvia_auth_file = \"auth\"")) ==
        "own.example:3128 Basic dXNlcjpwYXNz");
  CHECK(errors_of(with("via = \"http://p:1\"\nvia_auth_file = \"bad\"")).find("must hold user:password") !=
        std::string::npos);
  CHECK(errors_of(with("via_auth_file = \"auth\"")).find("set via too") != std::string::npos);
  CHECK(errors_of(with("via = \"http://p:1\"\nvia_auth_file = \"gone\"")).find("cannot read via_auth_file") !=
        std::string::npos);
}

TEST_CASE("what is no proxy is an error that shows no password") {
  for (const char* via :
       {"socks5://u:secret@p:1", "https://u:secret@p:1", "http://u:secret@p:1", "http://p:1/x"}) {
    CAPTURE(via);
    const std::string errors = errors_of(project("via = \"" + std::string(via) + "\"", test_environment()));
    CHECK(errors.find("weir.toml:3:7: via ") != std::string::npos);
    CHECK(errors.find("secret") == std::string::npos);
  }
  const TempDirectory directory;
  directory.write("key", "upstream-key\n");
  const std::string errors = errors_of(
      project("api_key_file = \"key\"", with_proxies("socks5://u:secret@p:1"), directory.path("weir.toml")));
  CHECK(errors.find("HTTPS_PROXY in the environment is not an http:// proxy") != std::string::npos);
  CHECK(errors.find("secret") == std::string::npos);
  // A project that nothing is sent for does not depend on it.
  CHECK(way(project("", with_proxies("socks5://p:1"))) == "straight");
}

}  // namespace weir::daemon
