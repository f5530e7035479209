// The command line: parses it, runs the subcommand, turns what went wrong into a message and an exit code.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "daemon/commands/command.hpp"

namespace weir::daemon {

// `arguments` without the program's name. `serve` is called by `weir serve` with a good configuration. Never
// throws.
int run_program(std::vector<std::string> arguments, Shell& shell,
                const std::function<int(const Config&)>& serve);

}  // namespace weir::daemon
