#include "daemon/text/manual.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace weir::daemon {
namespace {

// Text of ours, as it is to be read: hyphens are to be copied, and no line is a request.
std::string roff(std::string_view text) {
  std::string out;
  bool line_start = true;
  for (const char c : text) {
    if (line_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
    line_start = c == '\n';
  }
  return out;
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines = CLI::detail::split(std::string(text), '\n');
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

std::string trimmed(std::string text) {
  return CLI::detail::trim(text);
}

void append_examples(std::string& out, const CommandText& command) {
  bool verbatim = false;
  for (const std::string& line : lines_of(command.examples)) {
    if (line.empty()) continue;
    const bool indented = line.starts_with("  ");
    if (indented != verbatim) out += indented ? ".PP\n.EX\n" : ".EE\n.PP\n";
    verbatim = indented;
    out += roff(indented ? line.substr(2) : line) + "\n";
  }
  if (verbatim) out += ".EE\n";
}

void append_options(std::string& out, const CommandText& command) {
  for (const OptionText& option : command.options) {
    std::vector<std::string> names;
    for (const std::string& name : option.names) names.push_back("\\fB" + roff(name) + "\\fR");
    out += fmt::format(".TP\n{}", fmt::join(names, ", "));
    if (!option.takes.empty())
      out += fmt::format("{}\\fI{}\\fR", names.empty() ? "" : " ", roff(option.takes));
    out += fmt::format("\n{}{}\n", roff(option.description), option.required ? " (required)" : "");
  }
}

void append_command(std::string& out, CommandText command) {
  // Of every command the same: said once, of the program.
  std::erase_if(command.options, [](const OptionText& option) {
    return !option.names.empty() && option.names.front() == "-h";
  });
  if (command.commands.empty()) {
    out += fmt::format(".SS {}{}\n{}.\n", roff(command.path),
                       command.runs_command ? " [\\-\\- COMMAND...]" : "", roff(command.description));
    append_options(out, command);
    append_examples(out, command);
  }
  for (const CommandText& each : command.commands) append_command(out, each);
}

constexpr auto kAfterCommands = R"(.SH EXIT STATUS
0 done; 1 failed; 2 wrong usage or configuration; 3 the daemon cannot be reached; 4 denied by quota; 5 waited in vain.
.B weir admit
with a command ends as that command does.
.SH ENVIRONMENT
.TP
.B WEIR_URL
The daemon: http://host:port or unix:/path.
Without it, unix:/run/weir/weir.sock if that exists, else http://127.0.0.1:8411.
.TP
.B WEIR_TOKEN_FILE
A file with the daemon's bearer token.
.TP
.B WEIR_CONFIG
The configuration file, in place of /etc/weir/weir.toml.
.TP
.B NO_COLOR
If set, no colour.
.SH SEE ALSO
.BR weir.toml (5),
.BR weir (8)
)";

constexpr auto kBeforeKeys = R"(.SH NAME
weir.toml \- configuration of weir
.SH SYNOPSIS
.I /etc/weir/weir.toml
.SH DESCRIPTION
The daemon reads one TOML file: that of
.BR \-\-config ,
else of
.BR WEIR_CONFIG ,
else
.IR /etc/weir/weir.toml ,
else the defaults.
.B weir check\-config
shows every mistake in it at once;
.B weir reload
makes a running daemon read it again: what is used stays used.
.PP
.I /usr/share/doc/weir/examples/weir.toml
has every key.
.SH KEYS
Each is shown with its default, or with an example where there is none.
)";

// "max_body_bytes = 1048576         # at most 64 MiB"
struct Setting {
  std::string key, value, remark;
};

// A key's name and " = ", and nothing of a sentence before it.
bool is_setting(std::string_view line) {
  const std::size_t equals = line.find(" = ");
  return equals != std::string_view::npos && equals > 0 &&
         line.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == equals;
}

Setting setting_of(const std::string& line) {
  const std::size_t equals = line.find(" = ");
  const std::size_t hash = line.find(" # ", equals);
  Setting setting{line.substr(0, equals), trimmed(line.substr(equals + 3, hash - equals - 3)), {}};
  if (hash != std::string::npos) setting.remark = trimmed(line.substr(hash + 3));
  return setting;
}

// Comments, and the keys that they explain.
struct Group {
  std::string text;
  std::vector<Setting> settings;
};

void append_group(std::string& out, Group& group) {
  for (std::size_t i = 0; i < group.settings.size(); ++i) {
    const Setting& each = group.settings[i];
    const bool together = i > 0 && (!group.text.empty() || group.settings[i - 1].remark.empty());
    out += fmt::format(".{}\n\\fB{}\\fR = {}\n", together ? "TQ" : "TP", roff(each.key), roff(each.value));
    if (group.text.empty() && !each.remark.empty()) out += roff(each.remark) + "\n";
  }
  out += roff(group.text);
  for (const Setting& each : group.settings) {
    if (!group.text.empty() && !each.remark.empty())
      out += fmt::format("{}: {}.\n", roff(each.key), roff(each.remark));
  }
  group = {};
}

}  // namespace

std::string manual_page(const CommandText& program, std::string_view version) {
  std::string out = fmt::format(".TH WEIR 1 \"\" \"weir {}\" \"User Commands\"\n", version);
  out += ".SH NAME\nweir \\- quota admission and metering for LLM APIs\n";
  out += ".SH SYNOPSIS\n.B weir\n.I command\n.RI [ option ...]\n";
  out += ".SH DESCRIPTION\n" + roff(program.description) + "\n.PP\n";
  out += "Client commands ask the daemon, which\n.B weir serve\nruns; see\n.BR weir (8).\n";
  out += ".SH EXAMPLES\n";
  append_examples(out, program);
  out += ".SH OPTIONS\n";
  append_options(out, program);
  out += ".SH COMMANDS\nEach takes\n.B \\-\\-help\ntoo.\n";
  append_command(out, program);
  return out + kAfterCommands;
}

std::string config_manual_page(std::string_view config, std::string_view version) {
  std::string out =
      fmt::format(".TH WEIR.TOML 5 \"\" \"weir {}\" \"File Formats\"\n{}", version, kBeforeKeys);
  std::vector<std::string> titles;
  Group group;
  bool example = false;
  for (std::string line : lines_of(config)) {
    line = trimmed(line);
    const bool comment = line.starts_with('#');
    const std::string bare = comment ? trimmed(line.substr(1)) : line;
    if (line.empty()) {
      if (example) out += ".EE\n";
      example = false;
      if (titles.empty()) group = {};  // what the file says of itself
      append_group(out, group);
    } else if (bare.starts_with('[')) {
      // A table that was there before shows another use of it.
      example = std::find(titles.begin(), titles.end(), bare) != titles.end();
      out += example ? fmt::format(".PP\n{}.PP\n.EX\n{}\n", roff(group.text), roff(bare))
                     : fmt::format(".SS {}\n{}", roff(bare), roff(group.text));
      titles.push_back(bare);
      group = {};
    } else if (example) {
      out += roff(line) + "\n";
    } else if (is_setting(bare)) {
      group.settings.push_back(setting_of(bare));
    } else {
      if (!group.settings.empty()) append_group(out, group);
      group.text += bare + "\n";
    }
  }
  append_group(out, group);
  if (example) out += ".EE\n";
  return out + ".SH SEE ALSO\n.BR weir (1),\n.BR weir (8)\n";
}

}  // namespace weir::daemon
