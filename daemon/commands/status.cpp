// weir status
#include "daemon/text/status.hpp"

#include <ostream>

#include <fmt/format.h>

#include "daemon/commands/command.hpp"
#include "daemon/live.hpp"
#include "daemon/text/human.hpp"
#include "text/printable.hpp"

namespace weir::daemon {
namespace {

struct Options {
  DaemonOptions daemon;
  std::string project, model;
  bool json = false, watch = false, all = false;
};

constexpr auto kRefresh = std::chrono::seconds(1);

Drawn draw_status(const Frame& frame, const StatusView& view, Look look) {
  look.width = frame.columns;
  Drawn drawn;
  if (!frame.trouble.empty()) {
    const std::string age = human_duration(frame.age);
    const std::string text = fmt::format("data {} old, trying again: {}", age, frame.trouble);
    drawn.lines.push_back(paint(cut_end(text, look.width, look), Style::bad, look));
  }
  for (std::string& line : lines_of(render_status(frame.quota, frame.now, view, look))) {
    if (drawn.lines.size() < frame.lines) drawn.lines.push_back(std::move(line));
  }
  return drawn;
}

int run(const Options& options, Shell& shell) {
  if (options.watch && options.json) throw CommandError(kWrongUsage, "--watch and --json exclude each other");
  if (options.watch && !shell.terminal) {
    throw CommandError(kWrongUsage, "--watch needs a terminal; elsewhere, repeat `weir status --json`");
  }
  Client client = connect(options.daemon, shell);
  ClientRequest request;
  request.target = "/v1/quota" + query_string({{"project", options.project}, {"model", options.model}});
  // Who names a model wants to see its limits, used or not.
  const StatusView view{options.all || !options.model.empty()};
  if (!options.watch) {
    const nlohmann::json quota = fetch(client, request);
    if (options.json) {
      shell.out << printable_json(quota.dump(2)) << '\n';
    } else {
      shell.out << render_status(quota, time_at(quota, "as_of").value_or(shell.now()), view, shell.look);
    }
    return kDone;
  }
  return run_live(
      client, request, kRefresh, [&](const Frame& frame) { return draw_status(frame, view, shell.look); },
      shell);
}

}  // namespace

void add_status(CLI::App& program, Shell& shell, Action& action) {
  auto* command = program.add_subcommand("status", "Shows every limit: used, held, left, reset, forecast");
  command->footer(
      "  weir status                            # what is in use, the nearest to its limit first\n"
      "  weir status --model gemini-2.5-flash   # all limits of one model\n"
      "  weir status --watch                    # again every second\n"
      "  weir status --json | jq '.limits[] | select(.remaining == 0) | .limit'");
  const auto options = std::make_shared<Options>();
  add_daemon_options(*command, options->daemon);
  command->add_option("--project", options->project, "only this project")->type_name("NAME");
  command->add_option("--model", options->model, "only limits of this model")->type_name("NAME");
  command->add_flag("--all", options->all, "also limits with nothing used");
  command->add_flag("--json", options->json, "the daemon's answer as JSON");
  command->add_flag("--watch", options->watch, "redraw every second until q or Ctrl-C");
  command->callback(
      [&shell, &action, options] { action = [&shell, options] { return run(*options, shell); }; });
}

}  // namespace weir::daemon
