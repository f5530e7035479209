// weir usage
#include "daemon/text/usage.hpp"

#include <algorithm>
#include <ostream>
#include <sstream>

#include <fmt/format.h>

#include "daemon/commands/command.hpp"
#include "text/printable.hpp"
#include "text/suggest.hpp"

namespace weir::daemon {
namespace {

struct Options {
  DaemonOptions daemon;
  std::string since, until, by, bucket, zone;
  bool json = false, csv = false;
};

void check_words(std::string_view option, const std::string& given,
                 const std::vector<std::string_view>& known) {
  std::istringstream words(given);
  for (std::string word; std::getline(words, word, ',');) {
    if (std::find(known.begin(), known.end(), word) != known.end()) continue;
    throw CommandError(kWrongUsage, fmt::format("{} takes {}, not \"{}\"{}", option, list_words(known, false),
                                                word, did_you_mean(word, known)));
  }
}

int run(const Options& options, Shell& shell) {
  if (options.json && options.csv) throw CommandError(kWrongUsage, "--json and --csv exclude each other");
  check_words("--by", options.by, {"project", "model", "consumer"});
  if (options.bucket.find(',') != std::string::npos)
    throw CommandError(kWrongUsage, "--bucket takes one of hour, day or none");
  check_words("--bucket", options.bucket, {"hour", "day", "none"});
  const std::string since = time_field("--since", options.since, shell);
  const std::string until = time_field("--until", options.until, shell);
  // Texts of one form and length: they compare as their times do.
  if (!since.empty() && !until.empty() && until <= since)
    throw CommandError(kWrongUsage, fmt::format("--until ({}) must be after --since ({})", until, since));
  Client client = connect(options.daemon, shell);
  ClientRequest request;
  request.patience = std::chrono::seconds(60);
  request.target = "/v1/usage" + query_string({{"since", since},
                                               {"until", until},
                                               {"by", options.by},
                                               {"bucket", options.bucket},
                                               {"tz", options.zone}});
  if (options.csv) {
    request.accept = "text/csv";
    const auto answer = client.send(request, [&](std::string_view piece) { shell.out << piece; });
    if (answer.status != 200) throw refusal(answer);
    return kDone;
  }
  const nlohmann::json usage = fetch(client, request);
  if (options.json) {
    shell.out << printable_json(usage.dump(2)) << '\n';
  } else {
    shell.out << render_usage(usage, shell.look);
  }
  return kDone;
}

}  // namespace

void add_usage(CLI::App& program, Shell& shell, Action& action) {
  auto* command = program.add_subcommand("usage", "Shows what was used: calls, tokens, money");
  command->footer(
      "  weir usage --since 24h --by model\n"
      "  weir usage --since 7d --bucket day --by project,consumer\n"
      "  weir usage --since 2026-11-01 --until 2026-12-01 --csv > november.csv");
  const auto options = std::make_shared<Options>();
  add_daemon_options(*command, options->daemon);
  command
      ->add_option("--since", options->since, "from: 2026-11-22, 2026-11-22T08:00:00Z, or an age as 24h, 7d")
      ->type_name("TIME");
  command->add_option("--until", options->until, "to, not included: as --since")->type_name("TIME");
  command
      ->add_option("--by", options->by, "a row for each: project, model, consumer, or several, \",\" between")
      ->type_name("LIST");
  command->add_option("--bucket", options->bucket, "a row for each hour or day, or none")
      ->type_name("hour|day|none");
  command->add_option("--tz", options->zone, "time zone of days (default: the project's)")->type_name("ZONE");
  command->add_flag("--json", options->json, "the daemon's answer as JSON");
  command->add_flag("--csv", options->csv, "comma-separated values");
  command->callback(
      [&shell, &action, options] { action = [&shell, options] { return run(*options, shell); }; });
}

}  // namespace weir::daemon
