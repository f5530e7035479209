// weir reload
#include <ostream>

#include <fmt/format.h>

#include "daemon/commands/command.hpp"
#include "text/printable.hpp"

namespace weir::daemon {
namespace {

struct Options {
  DaemonOptions daemon;
  bool json = false;
};

// A long window makes the daemon read many calls.
constexpr auto kPatience = std::chrono::minutes(5);

int run(const Options& options, Shell& shell) {
  Client client = connect(options.daemon, shell);
  ClientRequest request;
  request.method = "POST";
  request.target = "/v1/reload";
  request.patience = kPatience;
  const nlohmann::json result = fetch(client, request);
  if (options.json) {
    shell.out << printable_json(result.dump(2)) << '\n';
    return kDone;
  }
  const auto texts = [&result](const char* key) {
    return result.contains(key) && result[key].is_array() ? result[key] : nlohmann::json::array();
  };
  for (const auto& warning : texts("warnings"))
    shell.err << "warning: " << (warning.is_string() ? printable(warning.get<std::string>()) : warning.dump())
              << '\n';
  for (const auto& change : texts("changes"))
    shell.out << (change.is_string() ? printable(change.get<std::string>()) : change.dump()) << '\n';
  if (texts("changes").empty()) shell.err << "read again; nothing is otherwise\n";
  return kDone;
}

}  // namespace

void add_reload(CLI::App& program, Shell& shell, Action& action) {
  auto* command = program.add_subcommand(
      "reload", "Makes the daemon read its configuration again, and shows what changed");
  command->footer(
      "  weir check-config && weir reload\n"
      "  weir reload --json | jq -r '.changes[]'");
  const auto options = std::make_shared<Options>();
  add_daemon_options(*command, options->daemon);
  command->add_flag("--json", options->json, "the daemon's answer as JSON");
  command->callback(
      [&shell, &action, options] { action = [&shell, options] { return run(*options, shell); }; });
}

}  // namespace weir::daemon
