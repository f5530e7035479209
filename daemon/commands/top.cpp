// weir top
#include "daemon/text/top.hpp"

#include <ostream>

#include "daemon/commands/command.hpp"
#include "daemon/live.hpp"

namespace weir::daemon {
namespace {

struct Options {
  DaemonOptions daemon;
  std::string project, model;
  double interval_s = 1;
  bool once = false;
};

int run(const Options& options, Shell& shell) {
  Client client = connect(options.daemon, shell);
  ClientRequest request;
  request.target = "/v1/quota" + query_string({{"project", options.project}, {"model", options.model}});
  const std::string daemon = client.endpoint().text;
  if (options.once || !shell.terminal) {
    if (!options.once) shell.err << "weir: not a terminal, so one frame only (as with --once)\n";
    shell.out << render_top_once(first_frame(fetch(client, request), shell), daemon, shell.look);
    return kDone;
  }
  const auto interval = std::chrono::milliseconds(static_cast<std::int64_t>(options.interval_s * 1e3));
  return run_live(
      client, request, interval, [&](const Frame& frame) { return render_top(frame, daemon, shell.look); },
      shell);
}

}  // namespace

void add_top(CLI::App& program, Shell& shell, Action& action) {
  auto* command = program.add_subcommand("top", "Shows every limit live: use, pace, run-out against reset");
  command->footer(
      "  weir top\n"
      "  weir top --model gemini-2.5-flash      # only its limits\n"
      "  weir top --once                        # one frame, for scripts and bug reports\n"
      "\n"
      "Keys: q or Ctrl-C leaves; arrows, PgUp, PgDn, Home, End scroll.");
  const auto options = std::make_shared<Options>();
  add_daemon_options(*command, options->daemon);
  command->add_option("--project", options->project, "only this project")->type_name("NAME");
  command->add_option("--model", options->model, "only limits of this model")->type_name("NAME");
  command->add_option("--interval", options->interval_s, "seconds between looks, 0.5 to 3600 (default: 1)")
      ->type_name("S")
      ->check(number_within(0.5, 3600));
  command->add_flag("--once", options->once, "one frame, then end");
  command->callback(
      [&shell, &action, options] { action = [&shell, options] { return run(*options, shell); }; });
}

}  // namespace weir::daemon
