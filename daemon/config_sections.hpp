// The parts of a configuration file, one function each. Private to config*.cpp.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/config.hpp"
#include "daemon/toml_table.hpp"

namespace weir::daemon {

// What all parts need while one file is read.
struct ConfigReader {
  Findings& findings;
  const std::string& file;
  const Environment& environment;
  const catalog::Catalog& catalog;
};

void read_projects(ConfigReader& reader, TomlTable& document, Config& config);
void read_pools(ConfigReader& reader, TomlTable& document, Config& config);
void read_consumers(ConfigReader& reader, TomlTable& document, Config& config);

// Whose limits are read. `provider` gives models their canonical names; empty for a consumer's, which hold in
// all projects.
struct LimitOwner {
  std::string_view provider;
  std::string_view time_zone;  // the default of calendar windows
  std::string_view consumer;   // empty for a project's
};
// [[….limits]] of `parent`, titled "[[projects.limits]]".
std::vector<quota::LimitSpec> read_limits(ConfigReader& reader, TomlTable& parent, const std::string& title,
                                          const LimitOwner& owner);

// Reads the file that `key` names; true if there is a secret now.
bool read_secret_key(ConfigReader& reader, TomlTable& table, std::string_view key, Secret& out);

// Keys via and via_auth_file of a project whose base_url and api_key are read; without them, the
// environment's.
void read_via(ConfigReader& reader, TomlTable& table, ProjectConfig& project);
// The proxy that the environment names for a base URL, or what is wrong with it.
std::variant<std::optional<upstream::Via>, std::string> via_of_environment(const Environment& environment,
                                                                           std::string_view base_url);

// The value of key "name", fit for a path and a label: 1 to 64 of letters, digits, '.', '_', '-', not
// starting with '.' or '-'.
bool read_name(TomlTable& table, std::string& out, std::string_view what_for);

}  // namespace weir::daemon
