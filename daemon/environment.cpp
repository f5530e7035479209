#include "daemon/environment.hpp"

#include <cstdlib>
#include <filesystem>

namespace weir::daemon {
namespace {

namespace fs = std::filesystem;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string either(const char* name, const char* other) {
  std::string value = variable(name);
  return value.empty() ? variable(other) : value;
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

}  // namespace

Environment Environment::of_process() {
  Environment environment;
  environment.state_directory = variable("STATE_DIRECTORY");
  environment.xdg_state_home = variable("XDG_STATE_HOME");
  environment.home = variable("HOME");
  environment.credentials_directory = variable("CREDENTIALS_DIRECTORY");
  environment.config = variable("WEIR_CONFIG");
  environment.url = variable("WEIR_URL");
  environment.token_file = variable("WEIR_TOKEN_FILE");
  environment.https_proxy = either("https_proxy", "HTTPS_PROXY");
  environment.http_proxy = either("http_proxy", "HTTP_PROXY");
  environment.no_proxy = either("no_proxy", "NO_PROXY");
  environment.no_color = !variable("NO_COLOR").empty();
  return environment;
}

std::optional<std::string> state_directory(const Environment& environment) {
  if (!environment.state_directory.empty()) {
    return environment.state_directory.substr(0, environment.state_directory.find(':'));
  }
  // The base directory specification: a relative $XDG_STATE_HOME is to be ignored.
  if (environment.xdg_state_home.starts_with('/')) return environment.xdg_state_home + "/weir";
  if (!environment.home.empty()) return environment.home + "/.local/state/weir";
  return std::nullopt;
}

std::optional<std::string> find_config(const std::string& given, const Environment& environment) {
  if (!given.empty()) return given;
  if (!environment.config.empty()) return environment.config;
  constexpr auto kSystemWide = "/etc/weir/weir.toml";
  if (is_there(kSystemWide)) return kSystemWide;
  return std::nullopt;
}

std::string find_secret(const std::string& name, const std::string& config_file,
                        const Environment& environment) {
  if (fs::path(name).is_absolute()) return name;
  const fs::path beside = fs::path(config_file).parent_path() / name;
  if (is_there(beside) || environment.credentials_directory.empty()) return beside.string();
  const fs::path credential = fs::path(environment.credentials_directory) / name;
  return is_there(credential) ? credential.string() : beside.string();
}

}  // namespace weir::daemon
