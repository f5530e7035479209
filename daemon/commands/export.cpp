// weir export calls
#include <ostream>

#include <fmt/format.h>

#include "daemon/commands/command.hpp"

namespace weir::daemon {
namespace {

struct Options {
  DaemonOptions daemon;
  std::string since, until, project, model, consumer, format = "ndjson";
};

int run(const Options& options, Shell& shell) {
  Client client = connect(options.daemon, shell);
  ClientRequest request;
  request.patience = std::chrono::seconds(60);
  request.accept = options.format == "csv" ? "text/csv" : "application/x-ndjson";
  request.target = "/v1/calls" + query_string({{"since", time_field("--since", options.since, shell)},
                                               {"until", time_field("--until", options.until, shell)},
                                               {"project", options.project},
                                               {"model", options.model},
                                               {"consumer", options.consumer}});
  // Piece by piece as they come: an export may be larger than memory.
  const auto answer = client.send(request, [&](std::string_view piece) {
    shell.out << piece;
    if (!shell.out) throw CommandError(kFailed, "cannot write to standard output: the export is incomplete");
  });
  if (answer.status != 200) throw refusal(answer);
  return kDone;
}

}  // namespace

void add_export(CLI::App& program, Shell& shell, Action& action) {
  auto* command = program.add_subcommand("export", "Writes single calls to standard output");
  command->footer(
      "  weir export calls --since 24h > calls.ndjson\n"
      "  weir export calls --since 2026-11-01 --project team-a --format csv > calls.csv");
  command->require_subcommand(1);
  auto* calls = command->add_subcommand("calls", "Single calls, the newest first")->group("Commands");
  calls->footer(command->get_footer());
  const auto options = std::make_shared<Options>();
  add_daemon_options(*calls, options->daemon);
  calls->add_option("--since", options->since, "from: 2026-11-22, 2026-11-22T08:00:00Z, or an age as 24h, 7d")
      ->type_name("TIME");
  calls->add_option("--until", options->until, "to, not included: as --since")->type_name("TIME");
  calls->add_option("--project", options->project, "only this project's")->type_name("NAME");
  calls->add_option("--model", options->model, "only this model's")->type_name("NAME");
  calls->add_option("--consumer", options->consumer, "only this consumer's")->type_name("NAME");
  calls->add_option("--format", options->format, "ndjson (default) or csv")
      ->type_name("ndjson|csv")
      ->check(CLI::IsMember({"ndjson", "csv"}));
  calls->callback(
      [&shell, &action, options] { action = [&shell, options] { return run(*options, shell); }; });
}

}  // namespace weir::daemon
