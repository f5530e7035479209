// What the subcommands share: the outside world that they see, and the way to the daemon.
#pragma once

#include <functional>
#include <iosfwd>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "daemon/client.hpp"
#include "daemon/config.hpp"
#include "daemon/environment.hpp"
#include "daemon/text/table.hpp"

namespace weir::daemon {

// The exit codes, told in weir(1).
inline constexpr int kDone = 0, kFailed = 1, kWrongUsage = 2, kUnreachable = 3, kDenied = 4, kTimedOut = 5;

// The process's outside world; tests give their own.
struct Shell {
  Environment environment;
  std::ostream& out;      // data
  std::ostream& err;      // messages
  bool terminal = false;  // `out` is one
  Look look;
  std::function<WallTime()> now;
};

// Ends a command: main prints what() and exits with `code`.
struct CommandError : std::runtime_error {
  CommandError(int exit_code, const std::string& message) : std::runtime_error(message), code(exit_code) {}
  int code;
};

// --url and --token-file.
struct DaemonOptions {
  std::string url, token_file;
};
void add_daemon_options(CLI::App& command, DaemonOptions& options);

// Throws CommandError if the URL or the token file is wrong.
Client connect(const DaemonOptions& options, const Shell& shell);

// The end of a command to which the daemon answered so: the problem in words, and its exit code.
CommandError refusal(const ClientAnswer& answer);
// Sends; answers the JSON body of a 200 or 201. Throws the refusal for any other status.
nlohmann::json fetch(Client& client, const ClientRequest& request);
// The body as JSON; null if it is none.
nlohmann::json json_of(const ClientAnswer& answer);

// "?a=1&b=2" of those that are not empty, encoded; "" if all are.
std::string query_string(const std::vector<std::pair<std::string_view, std::string>>& fields);
// The text of an option that takes a point in time, as RFC 3339; "" stays "". Throws CommandError(2).
std::string time_field(std::string_view option, const std::string& text, const Shell& shell);

// Checks that an option's number is within these bounds; CLI::Range lets "nan" through.
CLI::Validator number_within(double least, double most);

// A subcommand chosen and parsed: runs it, answers the exit code.
using Action = std::function<int()>;

// Each adds one subcommand that, when it was chosen, stores what to do in `action`. `shell` and `action`
// outlive the parser.
void add_check_config(CLI::App& program, Shell& shell, Action& action);
void add_check_key(CLI::App& program, Shell& shell, Action& action);
void add_status(CLI::App& program, Shell& shell, Action& action);
void add_statusline(CLI::App& program, Shell& shell, Action& action);
void add_top(CLI::App& program, Shell& shell, Action& action);
void add_usage(CLI::App& program, Shell& shell, Action& action);
// `command`: what stood after "--".
void add_admit(CLI::App& program, Shell& shell, Action& action, const std::vector<std::string>& command);
// Hidden.
void add_generate(CLI::App& program, Shell& shell, Action& action);
void add_reload(CLI::App& program, Shell& shell, Action& action);
void add_export(CLI::App& program, Shell& shell, Action& action);
void add_simulate(CLI::App& program, Shell& shell, Action& action);
void add_catalog(CLI::App& program, Shell& shell, Action& action);
void add_version(CLI::App& program, Shell& shell, Action& action);

// Reads the configuration that `given` or the environment names, or the embedded defaults; prints errors and
// warnings as `file:line:column: message`. Throws CommandError(2) with a closing word if there are errors.
Config read_configuration(const std::string& given, Shell& shell);

}  // namespace weir::daemon
