#include "daemon/text/command_line.hpp"

namespace weir::daemon {
namespace {

OptionText read(const CLI::Option& option) {
  OptionText text;
  for (const std::string& name : option.get_snames()) text.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) text.names.push_back("--" + name);
  if (text.names.empty()) {
    text.takes = option.get_name(true);
  } else if (option.get_items_expected_max() != 0) {
    const std::string type = option.get_type_name();
    text.takes = type.substr(0, type.find(':'));  // what follows a colon are validators
    if (text.takes.empty()) text.takes = "VALUE";
  }
  if (text.takes.find('|') != std::string::npos) text.choices = CLI::detail::split(text.takes, '|');
  text.description = option.get_description();
  text.required = option.get_required();
  return text;
}

CommandText read(const CLI::App& app, const std::string& path) {
  CommandText text;
  text.path = path;
  text.description = app.get_description();
  text.examples = app.get_footer();
  text.runs_command = runs_command(app);
  for (const CLI::Option* option : app.get_options({})) text.options.push_back(read(*option));
  for (const CLI::App* command : app.get_subcommands({})) {
    const bool hidden = command->get_group().empty();
    if (!hidden) text.commands.push_back(read(*command, path + " " + command->get_name()));
  }
  return text;
}

}  // namespace

bool runs_command(const CLI::App& app) {
  return app.get_name() == "admit";
}

CommandText command_line(const CLI::App& program) {
  return read(program, "weir");
}

}  // namespace weir::daemon
