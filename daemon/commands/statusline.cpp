// weir statusline
#include "daemon/text/statusline.hpp"

#include <ostream>

#include "daemon/background_fetch.hpp"
#include "daemon/commands/command.hpp"
#include "daemon/text/human.hpp"

namespace weir::daemon {
namespace {

struct Options {
  DaemonOptions daemon;
  std::string project, model;
  std::size_t max_width = 0;
};

// A prompt waits for this line; starship gives a command half a second.
constexpr auto kPatience = std::chrono::milliseconds(400);

// What went wrong belongs into the line itself: nobody reads a status bar's standard error.
int run(const Options& options, Shell& shell) {
  ClientRequest request;
  request.target = "/v1/quota" + query_string({{"project", options.project}, {"model", options.model}});
  request.patience = kPatience;
  BackgroundFetch fetch(connect(options.daemon, shell), request);
  const auto result = fetch.wait(kPatience);
  Look look = shell.look;
  look.width = options.max_width;
  if (!result || result->exit_code == kUnreachable) {
    shell.out << paint(result ? "weir: down" : "weir: no answer", Style::bad, look) << '\n';
    return kUnreachable;
  }
  if (!result->trouble.empty()) throw CommandError(result->exit_code, result->trouble);
  const WallTime now = time_at(result->body, "as_of").value_or(shell.now());
  shell.out << render_statusline(result->body, now, look) << '\n';
  return kDone;
}

}  // namespace

void add_statusline(CLI::App& program, Shell& shell, Action& action) {
  auto* command =
      program.add_subcommand("statusline", "Prints the nearest limits in one line, for status bars");
  command->footer(
      "  weir statusline\n"
      "  weir statusline --model gemini-2.5-flash --max-width 40\n"
      "  set -g status-right '#(weir statusline --max-width 60)'    # in ~/.tmux.conf\n"
      "\n"
      "Answers within 0.4 s. Without a daemon it prints \"weir: down\" and ends with 3.");
  const auto options = std::make_shared<Options>();
  add_daemon_options(*command, options->daemon);
  command->add_option("--project", options->project, "only this project")->type_name("NAME");
  command->add_option("--model", options->model, "only limits of this model")->type_name("NAME");
  command->add_option("--max-width", options->max_width, "columns at most (default: as many as it takes)")
      ->type_name("N")
      ->check(CLI::Range(1, 1000));
  command->callback(
      [&shell, &action, options] { action = [&shell, options] { return run(*options, shell); }; });
}

}  // namespace weir::daemon
