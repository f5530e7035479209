// Completions for shells. Pure.
#pragma once

#include <string>

#include "daemon/text/command_line.hpp"

namespace weir::daemon {

std::string bash_completion(const CommandText& program);
std::string zsh_completion(const CommandText& program);
std::string fish_completion(const CommandText& program);

}  // namespace weir::daemon
