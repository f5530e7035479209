// Asks a project's upstream whether the project's key is good, by listing the models with it. Blocking; not
// for the daemon's own use. Nothing here holds the key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config.hpp"
#include "provider/error.hpp"

namespace weir::daemon {

enum class KeyVerdict : std::uint8_t {
  good,     // the upstream took it
  bad,      // the upstream refuses it, or the account behind it
  unclear,  // no answer, or one that says nothing about the key
  missing,  // the project has none
};
std::string_view to_string(KeyVerdict verdict);

struct KeyCheck {
  std::string project, provider;
  std::string url;  // that was asked last
  KeyVerdict verdict = KeyVerdict::missing;
  int status = 0;       // of the answer; 0: there was none
  std::string problem;  // why there is no answer, or none of use
  std::optional<provider::UpstreamError> error;
  std::vector<std::string> models;  // as calls name them, sorted
};

// Every wait is bounded: `connect_timeout_s` for the connection, half a minute for the answer. Throws
// std::runtime_error if the project's ca_file cannot be used. The process must ignore SIGPIPE.
KeyCheck check_key(const ProjectConfig& project, double connect_timeout_s);

}  // namespace weir::daemon
