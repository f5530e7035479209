// weir check-config
#include <ostream>

#include <fmt/format.h>

#include "daemon/commands/command.hpp"

namespace weir::daemon {
namespace {

std::string counted(std::size_t count, std::string_view thing) {
  return fmt::format("{} {}{}", count, thing, count == 1 ? "" : "s");
}

int run(const std::string& file, Shell& shell) {
  const Config config = read_configuration(file, shell);
  std::size_t limits = 0;
  for (const auto& project : config.projects) limits += project.limits.size();
  for (const auto& consumer : config.consumers) limits += consumer.limits.size();
  shell.out << fmt::format("{}: good: {}, {}, {}, {} beside the catalog's\n",
                           config.file.empty() ? "no file, embedded defaults" : config.file,
                           counted(config.projects.size(), "project"), counted(config.pools.size(), "pool"),
                           counted(config.consumers.size(), "consumer"), counted(limits, "limit"));
  return kDone;
}

}  // namespace

void add_check_config(CLI::App& program, Shell& shell, Action& action) {
  auto* command =
      program.add_subcommand("check-config", "Checks a configuration file and shows every error at once");
  command->footer(
      "  weir check-config                      # the file that `weir serve` would take\n"
      "  weir check-config ./weir.toml");
  const auto file = std::make_shared<std::string>();
  command->add_option("file", *file, "configuration file")->type_name("");
  command->callback([&shell, &action, file] { action = [&shell, file] { return run(*file, shell); }; });
}

}  // namespace weir::daemon
