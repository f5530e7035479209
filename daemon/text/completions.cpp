#include "daemon/text/completions.hpp"

#include <algorithm>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace weir::daemon {
namespace {

// The program and everything below it.
void collect(const CommandText& command, std::vector<const CommandText*>& all) {
  all.push_back(&command);
  for (const CommandText& each : command.commands) collect(each, all);
}

std::vector<const CommandText*> all_of(const CommandText& program) {
  std::vector<const CommandText*> all;
  collect(program, all);
  return all;
}

std::string last_word(const CommandText& command) {
  return command.path.substr(command.path.rfind(' ') + 1);
}

std::string parent_of(const CommandText& command) {
  return command.path.substr(0, command.path.rfind(' '));
}

std::string words_of(const CommandText& command) {
  std::vector<std::string> words;
  for (const CommandText& each : command.commands) words.push_back(last_word(each));
  for (const OptionText& option : command.options)
    words.insert(words.end(), option.names.begin(), option.names.end());
  return fmt::format("{}", fmt::join(words, " "));
}

// `escaped`: how the quote is written within quotes.
std::string quoted(std::string_view text, std::string_view escaped) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += escaped;
    } else {
      out += c;
    }
  }
  return out + '\'';
}

std::string zsh_quoted(std::string_view text) {
  return quoted(text, "'\\''");
}
std::string fish_quoted(std::string_view text) {
  return quoted(text, "\\'");
}

void put(std::string& out, std::string_view mark, const std::string& text) {
  out.replace(out.find(mark), mark.size(), text);
}

// "_weir_export_calls"
std::string function_of(const CommandText& command) {
  std::string name = "_" + command.path;
  std::replace(name.begin(), name.end(), ' ', '_');
  return name;
}

// Fields end with ':', and descriptions lie in brackets.
std::string zsh_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

// The arguments of _arguments that stand for one option.
std::string zsh_option(const OptionText& option) {
  std::string value;
  if (option.takes_file()) {
    value = fmt::format(":{}:_files", option.takes);
  } else if (!option.choices.empty()) {
    value = fmt::format(":value:({})", fmt::join(option.choices, " "));
  } else if (!option.takes.empty()) {
    value = fmt::format(":{}: ", option.takes);
  }
  if (option.names.empty()) return " " + zsh_quoted("1" + value);
  std::string out;
  for (const std::string& name : option.names)
    out += " " + zsh_quoted(fmt::format("{}{}[{}]{}", name, value.empty() || name.size() == 2 ? "" : "=",
                                        zsh_text(option.description), value));
  return out;
}

std::string fish_option(const std::string& when, const OptionText& option) {
  std::string out = "complete -c weir -n " + fish_quoted(when);
  if (option.names.empty()) return out + " -F\n";
  for (const std::string& name : option.names)
    out += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  if (!option.takes.empty()) out += option.takes_file() ? " -r -F" : " -x";
  if (!option.choices.empty()) out += " -a " + fish_quoted(fmt::format("{}", fmt::join(option.choices, " ")));
  return out + " -d " + fish_quoted(option.description) + "\n";
}

constexpr auto kBash = R"(# bash completion for weir, made by `weir generate bash`
_weir() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command=weir words= files= i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    if [[ ${COMP_WORDS[i]} == -- ]]; then
      # A command of one's own.
      mapfile -t COMPREPLY < <(compgen -c -- "$current")
      return
    fi
    case "$command ${COMP_WORDS[i]}" in
      @PATHS@) command+=" ${COMP_WORDS[i]}" ;;
    esac
  done
  # bash takes --option=value as three words.
  if [[ $current == = ]]; then
    current=
  elif [[ $previous == = ]]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  case "$command $previous" in
@VALUES@    *)
      case $command in
@WORDS@      esac
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current"; [[ -z $files ]] || compgen -f -- "$current")
}
complete -o filenames -F _weir weir
)";

// What follows "--" is a command of one's own.
constexpr auto kZshCommand = R"(  local dashes=${words[(i)--]}
  if (( dashes < CURRENT )); then
    shift $dashes words
    (( CURRENT -= dashes ))
    _normal
    return
  fi
)";
constexpr auto kFishCommand = R"(function __weir_command
  set -l words (commandline -opc)
  set -l dashes (contains -i -- -- $words); or return
  set -e words[1..$dashes]
  complete -C "$words "(commandline -ct | string collect --allow-empty)
end
)";

}  // namespace

std::string bash_completion(const CommandText& program) {
  std::string words, values;
  std::vector<std::string> paths;
  for (const CommandText* command : all_of(program)) {
    if (command != &program) paths.push_back('"' + command->path + '"');
    bool files = false;
    for (const OptionText& option : command->options) {
      if (option.names.empty()) files = files || option.takes_file();
      if (option.names.empty() || option.takes.empty()) continue;
      for (const std::string& name : option.names)
        values += fmt::format(
            "    \"{} {}\") {} ;;\n", command->path, name,
            option.takes_file() ? "files=yes" : fmt::format("words=\"{}\"", fmt::join(option.choices, " ")));
    }
    words += fmt::format("        \"{}\") words=\"{}\"{} ;;\n", command->path, words_of(*command),
                         files ? " files=yes" : "");
  }
  std::string out = kBash;
  put(out, "@PATHS@", fmt::format("{}", fmt::join(paths, " | ")));
  put(out, "@VALUES@", values);
  put(out, "@WORDS@", words);
  return out;
}

std::string zsh_completion(const CommandText& program) {
  std::string out = "#compdef weir\n# Made by `weir generate zsh`.\n";
  for (const CommandText* command : all_of(program)) {
    std::string arguments;
    for (const OptionText& option : command->options) arguments += zsh_option(option);
    if (command->commands.empty()) {
      out += fmt::format("\n{}() {{\n{}  _arguments{}\n}}\n", function_of(*command),
                         command->runs_command ? kZshCommand : "", arguments);
      continue;
    }
    out += fmt::format("\n{}() {{\n  local state\n  local -a below=(\n", function_of(*command));
    for (const CommandText& each : command->commands)
      out += fmt::format("    {}\n", zsh_quoted(last_word(each) + ":" + each.description));
    out += fmt::format("  )\n  _arguments -C{} '1:command:->command' '*::argument:->argument'\n", arguments);
    out +=
        "  case $state in\n    command) _describe command below ;;\n    argument)\n      case $words[1] "
        "in\n";
    for (const CommandText& each : command->commands)
      out += fmt::format("        {}) {} ;;\n", last_word(each), function_of(each));
    out += "      esac\n      ;;\n  esac\n}\n";
  }
  return out + "\n_weir \"$@\"\n";
}

std::string fish_completion(const CommandText& program) {
  std::string out = "# fish completion for weir, made by `weir generate fish`\ncomplete -c weir -f\n";
  out += kFishCommand;
  for (const CommandText* command : all_of(program)) {
    // In this command, and in none of those below it.
    std::string when;
    if (command == &program) {
      when = "__fish_use_subcommand";
    } else {
      when = "__fish_seen_subcommand_from " + last_word(*command);
      if (parent_of(*command) != program.path)
        when = "__fish_seen_subcommand_from " + parent_of(*command).substr(program.path.size() + 1) +
               "; and " + when;
      for (const CommandText& each : command->commands)
        when += "; and not __fish_seen_subcommand_from " + last_word(each);
    }
    for (const CommandText& each : command->commands)
      out += fmt::format("complete -c weir -n {} -a {} -d {}\n", fish_quoted(when), last_word(each),
                         fish_quoted(each.description));
    for (const OptionText& option : command->options) out += fish_option(when, option);
    if (command->runs_command)
      out += fmt::format("complete -c weir -n {} -x -a '(__weir_command)'\n",
                         fish_quoted(when + "; and contains -- -- (commandline -opc)"));
  }
  return out;
}

}  // namespace weir::daemon
