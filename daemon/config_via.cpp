// The HTTP proxy on the way to a project's upstream: via and via_auth_file, else HTTPS_PROXY, HTTP_PROXY and
// NO_PROXY.
#include <fmt/format.h>

#include "daemon/config_sections.hpp"

#include "upstream/origin.hpp"
#include "upstream/via.hpp"

namespace weir::daemon {
namespace {

// nullopt: the key is wrong, or it says "none".
std::optional<upstream::Via> read_via_key(TomlTable& table) {
  std::string given;
  if (!table.text("via", given) || given == "none") return std::nullopt;
  auto parsed = upstream::parse_via(given);
  if (const auto* problem = std::get_if<std::string_view>(&parsed)) {
    table.error("via", fmt::format("via {}; \"none\" means no proxy", *problem));
    return std::nullopt;
  }
  upstream::Via via = std::get<upstream::Via>(std::move(parsed));
  if (!via.authorization.empty()) {
    table.error("via",
                "via must hold no user and no password: put user:password into a file, and name that in "
                "via_auth_file");
    return std::nullopt;
  }
  return via;
}

}  // namespace

std::variant<std::optional<upstream::Via>, std::string> via_of_environment(const Environment& environment,
                                                                           std::string_view base_url) {
  const auto base = upstream::parse_base_url(base_url);
  if (!base) return std::nullopt;
  const std::string& given = base->origin.tls ? environment.https_proxy : environment.http_proxy;
  if (given.empty() || upstream::goes_direct(base->origin, environment.no_proxy)) return std::nullopt;
  auto parsed = upstream::parse_via(given);
  if (const auto* problem = std::get_if<std::string_view>(&parsed)) {
    return fmt::format("{} in the environment {}: set via of the project, or \"none\"",
                       base->origin.tls ? "HTTPS_PROXY" : "HTTP_PROXY", *problem);
  }
  return std::optional(std::get<upstream::Via>(std::move(parsed)));
}

void read_via(ConfigReader& reader, TomlTable& table, ProjectConfig& project) {
  Secret credentials;
  const bool authorized = read_secret_key(reader, table, "via_auth_file", credentials);
  if (table.has("via")) {
    project.via = read_via_key(table);
  } else {
    auto found = via_of_environment(reader.environment, project.base_url);
    if (auto* via = std::get_if<std::optional<upstream::Via>>(&found)) {
      project.via = std::move(*via);
    } else if (!project.api_key.empty() || table.has("base_url")) {  // else nothing is sent anyway
      reader.findings.error(table.place(), std::get<std::string>(found));
    }
  }
  if (!authorized) return;
  if (credentials.reveal().find(':') == std::string::npos) {
    table.error("via_auth_file", "via_auth_file must hold user:password");
  } else if (!table.has("via")) {
    table.error("via_auth_file",
                "via_auth_file is for the proxy that via names: set via too (HTTPS_PROXY carries its own)");
  } else if (project.via) {
    project.via->authorization = upstream::basic_authorization(credentials.reveal());
  }
}

}  // namespace weir::daemon
