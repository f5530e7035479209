// Runs a command in the foreground, as a shell would.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "time/instant.hpp"

namespace weir::daemon {

struct CommandResult {
  bool started = false;
  int exit_code =
      0;  // the command's; 128 + number if a signal ended it; not started: 127 not found, 126 cannot be run
  std::string problem;  // why it was not started: "no-such-thing: No such file or directory"
  Micros took{0};
};

// `command[0]` is looked for in $PATH. `variables` are added to its environment. SIGTERM, SIGHUP and SIGINT
// that reach this process meanwhile go on to the command (but not a Ctrl-C, which the terminal gave it
// already), and then end it or not: this function returns when the command has ended. Call with no other
// thread running.
CommandResult run_command(const std::vector<std::string>& command,
                          const std::vector<std::pair<std::string, std::string>>& variables);

}  // namespace weir::daemon
