// What the process was told by its environment, as a value: nothing below reads getenv().
#pragma once

#include <optional>
#include <string>

namespace weir::daemon {

// Empty where a variable is unset.
struct Environment {
  std::string state_directory;  // $STATE_DIRECTORY, from the service manager; may hold several, ':' between
  std::string xdg_state_home;   // $XDG_STATE_HOME
  std::string home;             // $HOME
  std::string credentials_directory;  // $CREDENTIALS_DIRECTORY
  std::string config;                 // $WEIR_CONFIG
  std::string url;                    // $WEIR_URL
  std::string token_file;             // $WEIR_TOKEN_FILE
  // As curl takes them: in lower case first, then in upper case; an empty one is none.
  std::string https_proxy, http_proxy, no_proxy;
  bool no_color = false;  // $NO_COLOR is set and not empty

  static Environment of_process();
};

// $STATE_DIRECTORY (the first, of several), else $XDG_STATE_HOME/weir, else $HOME/.local/state/weir. nullopt
// if none is set: a relative ledger path has no place then.
std::optional<std::string> state_directory(const Environment& environment);

// The configuration that `weir serve` takes: `given` (--config), else $WEIR_CONFIG, else /etc/weir/weir.toml
// if it exists. nullopt: the embedded defaults.
std::optional<std::string> find_config(const std::string& given, const Environment& environment);

// Where a secret named `name` in configuration file `config_file` is. An absolute name is itself. A relative
// one is looked for beside the configuration file, then in $CREDENTIALS_DIRECTORY; if it is in neither, the
// first place is answered.
std::string find_secret(const std::string& name, const std::string& config_file,
                        const Environment& environment);

}  // namespace weir::daemon
