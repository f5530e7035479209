// weir check-key
#include <algorithm>
#include <csignal>
#include <ostream>

#include <fmt/format.h>

#include "daemon/commands/command.hpp"
#include "daemon/text/key_check.hpp"
#include "text/printable.hpp"
#include "text/suggest.hpp"

namespace weir::daemon {
namespace {

struct Options {
  std::string project, config;
  bool models = false, json = false;
};

std::vector<ProjectConfig> chosen(const Options& options, const Config& config) {
  if (options.project.empty()) {
    if (std::all_of(config.projects.begin(), config.projects.end(),
                    [](const auto& project) { return project.api_key.empty(); }))
      throw CommandError(kWrongUsage, "no project has an api_key_file: there is no key to check");
    return config.projects;
  }
  std::vector<std::string_view> names;
  for (const ProjectConfig& project : config.projects) {
    if (project.name != options.project) {
      names.push_back(project.name);
    } else if (project.api_key.empty()) {
      throw CommandError(
          kWrongUsage, fmt::format("project {} has no api_key_file: there is no key to check", project.name));
    } else {
      return {project};
    }
  }
  throw CommandError(kWrongUsage, fmt::format("project \"{}\" is not configured{}", options.project,
                                              did_you_mean(options.project, names)));
}

int run(const Options& options, Shell& shell) {
  const Config config = read_configuration(options.config, shell);
  std::signal(SIGPIPE, SIG_IGN);  // an upstream may end the connection while it is written to
  std::vector<KeyCheck> checks;
  for (const ProjectConfig& project : chosen(options, config)) {
    checks.push_back(check_key(project, config.proxy.connect_timeout_s));
    if (!options.json) {
      shell.out << render_key_check(checks.back(), options.models, shell.look);
      shell.out.flush();  // the next may take its time
    }
  }
  if (options.json)
    shell.out << printable_json(
                     key_checks_json(checks).dump(2, ' ', false, nlohmann::json::error_handler_t::replace))
              << '\n';
  const bool failed = std::any_of(checks.begin(), checks.end(), [](const KeyCheck& check) {
    return check.verdict == KeyVerdict::bad || check.verdict == KeyVerdict::unclear;
  });
  return failed ? kFailed : kDone;
}

}  // namespace

void add_check_key(CLI::App& program, Shell& shell, Action& action) {
  auto* command = program.add_subcommand(
      "check-key", "Asks each project's provider whether its key is good, and says what is wrong");
  command->footer(
      "  weir check-key                         # all projects that have a key\n"
      "  weir check-key --project prod --models # and the models that the key may call\n"
      "  weir check-key --json | jq '.keys[] | select(.verdict != \"good\")'");
  const auto options = std::make_shared<Options>();
  command->add_option("--project", options->project, "only this project's key")->type_name("NAME");
  command
      ->add_option("--config", options->config,
                   "configuration file (default: $WEIR_CONFIG, else /etc/weir/weir.toml)")
      ->type_name("FILE");
  command->add_flag("--models", options->models, "show the models");
  command->add_flag("--json", options->json, "as JSON");
  command->callback(
      [&shell, &action, options] { action = [&shell, options] { return run(*options, shell); }; });
}

}  // namespace weir::daemon
