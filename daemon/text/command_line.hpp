// The command line as data: every command with its options, read off the parser itself, so that manual pages
// and completions name what it takes. Pure.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace weir::daemon {

struct OptionText {
  std::vector<std::string> names;    // "-h", "--help"; none: a word without a name
  std::string takes;                 // "FILE", "high|normal|low", that word's name; "": nothing
  std::vector<std::string> choices;  // of "high|normal|low"
  std::string description;
  bool required = false;

  [[nodiscard]] bool takes_file() const { return takes == "FILE" || takes == "file"; }
};

struct CommandText {
  std::string path;  // "weir", "weir export calls"
  std::string description;
  std::string examples;  // commands are indented; what follows them is text
  std::vector<OptionText> options;
  std::vector<CommandText> commands;
  bool runs_command = false;  // weir admit [-- COMMAND...]
};

// Whether it takes another command after "--".
bool runs_command(const CLI::App& app);

// The program with all that it lists in its help.
CommandText command_line(const CLI::App& program);

}  // namespace weir::daemon
