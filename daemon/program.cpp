#include "daemon/program.hpp"

#include <algorithm>
#include <ostream>

#include <fmt/format.h>

#include "daemon/text/command_line.hpp"
#include "daemon/version.hpp"
#include "text/printable.hpp"
#include "text/suggest.hpp"

namespace weir::daemon {
namespace {

constexpr auto kDescription =
    "Knows what each LLM API project may still use, and admits a call exactly when the provider would.";
constexpr auto kExamples =
    "  weir serve                                        # the daemon, on 127.0.0.1:8411\n"
    "  weir status                                       # how close each limit is, and when it resets\n"
    "  weir top                                          # the same, live\n"
    "  weir usage --since 24h --by model\n"
    "  weir admit --model gemini-2.5-flash --wait 30 -- ./ask-the-model.sh";

// Examples first (kept in CLI11's footer), then usage and options.
class ExamplesFirst : public CLI::Formatter {
 public:
  ExamplesFirst() {
    column_width(28);
    label("SUBCOMMAND", "COMMAND");
    label("REQUIRED", "(required)");
  }
  std::string make_help(const CLI::App* app, std::string name, CLI::AppFormatMode mode) const override {
    std::string out = app->get_description() + "\n";
    if (!app->get_footer().empty()) out += "\nExamples:\n" + app->get_footer() + "\n";
    out += "\n" + make_usage(app, std::move(name));
    out += make_positionals(app);
    out += make_groups(app, mode);
    out += make_subcommands(app, mode);
    if (!out.ends_with('\n')) out += '\n';
    return out;
  }
  std::string make_usage(const CLI::App* app, std::string name) const override {
    std::string usage = CLI::Formatter::make_usage(app, std::move(name));
    while (usage.ends_with('\n')) usage.pop_back();
    return usage + (runs_command(*app) ? " [-- COMMAND...]\n" : "\n");
  }
  // The type's name without the validators that CLI11 appends to it (":INT in [0 - 9007199254740991]").
  std::string make_option_opts(const CLI::Option* option) const override {
    const std::string type = option->get_type_name();
    std::string out;
    if (option->get_type_size() != 0 && !type.empty() && type[0] != ':')
      out += " " + type.substr(0, type.find(':'));
    if (option->get_required()) out += " " + get_label("REQUIRED");
    return out;
  }
};

std::vector<std::string_view> views(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

// Every name that `app` and its parents take, "--json", and the names of its subcommands.
std::vector<std::string> words_of(const CLI::App& app) {
  std::vector<std::string> words;
  for (const CLI::Option* option : app.get_options({})) {
    for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
  }
  for (const CLI::App* sub : app.get_subcommands({})) words.push_back(sub->get_name());
  return words;
}

const CLI::App& chosen(const CLI::App& program) {
  const CLI::App* app = &program;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  return *app;
}

std::string full_name(const CLI::App& app) {
  if (app.get_parent() == nullptr) return "weir";
  return full_name(*app.get_parent()) + " " + app.get_name();
}

// CLI11's message, or a better one for what is misspelt.
std::string usage_message(const CLI::App& program, const CLI::ParseError& error) {
  const CLI::App& app = chosen(program);
  const std::vector<std::string> unknown = program.remaining(true);
  std::string message = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error) != nullptr && !unknown.empty()) {
    const std::string word = unknown.front().substr(0, unknown.front().find('='));
    const std::vector<std::string> known = words_of(app);
    const bool misplaced =
        word.starts_with('-') && std::find(known.begin(), known.end(), word) != known.end();
    message = misplaced
                  ? fmt::format("give \"{}\" after the command", word)
                  : fmt::format("{} \"{}\" is not known{}", word.starts_with('-') ? "option" : "argument",
                                word, did_you_mean(word, views(known)));
  }
  std::replace(message.begin(), message.end(), '\n', ' ');
  return fmt::format("{}: {}; see `{} --help`", full_name(app), message, full_name(app));
}

// The first word that is no option must be a command: CLI11 would complain about everything after it.
std::string unknown_command(const CLI::App& program, const std::vector<std::string>& arguments) {
  const auto word =
      std::find_if(arguments.begin(), arguments.end(), [](const auto& a) { return !a.starts_with('-'); });
  if (word == arguments.end()) return {};
  std::vector<std::string> commands;
  for (const CLI::App* sub : program.get_subcommands({})) commands.push_back(sub->get_name());
  if (std::find(commands.begin(), commands.end(), *word) != commands.end()) return {};
  const std::string guess = did_you_mean(*word, views(commands));
  return fmt::format("weir: command \"{}\" is not known{}; `weir --help` lists them", *word, guess);
}

void add_serve(CLI::App& program, Shell& shell, Action& action,
               const std::function<int(const Config&)>& serve) {
  auto* command = program.add_subcommand("serve", "Runs the daemon");
  command->footer(
      "  weir serve                             # with /etc/weir/weir.toml if it exists, else embedded "
      "defaults\n"
      "  weir serve --config ./weir.toml");
  const auto file = std::make_shared<std::string>();
  command
      ->add_option("--config", *file, "configuration file (default: $WEIR_CONFIG, else /etc/weir/weir.toml)")
      ->type_name("FILE");
  command->callback([&shell, &action, &serve, file] {
    action = [&shell, &serve, file] { return serve(read_configuration(*file, shell)); };
  });
}

int run_parsed(std::vector<std::string> arguments, const std::vector<std::string>& command, Shell& shell,
               const std::function<int(const Config&)>& serve) {
  CLI::App program(kDescription, "weir");
  program.formatter(std::make_shared<ExamplesFirst>());
  program.footer(kExamples);
  program.set_help_flag("-h,--help", "shows this");
  program.set_version_flag("--version", fmt::format("weir {}", kVersion), "shows the version");
  program.require_subcommand(1);
  Action action;
  add_serve(program, shell, action, serve);
  add_check_config(program, shell, action);
  add_check_key(program, shell, action);
  add_status(program, shell, action);
  add_top(program, shell, action);
  add_statusline(program, shell, action);
  add_usage(program, shell, action);
  add_admit(program, shell, action, command);
  add_export(program, shell, action);
  add_reload(program, shell, action);
  add_simulate(program, shell, action);
  add_catalog(program, shell, action);
  add_version(program, shell, action);
  for (CLI::App* sub : program.get_subcommands({})) sub->group("Commands");
  add_generate(program, shell, action);

  if (arguments.empty()) {
    shell.err << program.help();
    return kWrongUsage;
  }
  if (const std::string message = unknown_command(program, arguments); !message.empty()) {
    shell.err << printable_lines(message) << '\n';
    return kWrongUsage;
  }
  try {
    std::reverse(arguments.begin(), arguments.end());  // as CLI11 wants a vector
    program.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    const CLI::App& app = chosen(program);
    shell.out << app.help(app.get_parent() == nullptr ? "" : full_name(*app.get_parent()));
    return kDone;
  } catch (const CLI::CallForVersion& version) {
    shell.out << version.what() << '\n';
    return kDone;
  } catch (const CLI::ParseError& error) {
    shell.err << printable_lines(usage_message(program, error)) << '\n';
    return kWrongUsage;
  }
  return action();
}

}  // namespace

int run_program(std::vector<std::string> arguments, Shell& shell,
                const std::function<int(const Config&)>& serve) {
  try {
    // What follows "--" belongs to admit's command, options and all.
    const auto dashes = std::find(arguments.begin(), arguments.end(), "--");
    std::vector<std::string> command;
    if (!arguments.empty() && arguments.front() == "admit" && dashes != arguments.end()) {
      command.assign(dashes + 1, arguments.end());
      if (command.empty()) throw CommandError(kWrongUsage, "admit: no command after --");
      arguments.erase(dashes, arguments.end());
    }
    return run_parsed(std::move(arguments), command, shell, serve);
  } catch (const CommandError& error) {
    shell.err << "weir: " << printable_lines(error.what()) << '\n';
    return error.code;
  } catch (const Unreachable& error) {
    shell.err << "weir: " << printable_lines(error.what()) << '\n';
    return kUnreachable;
  } catch (const std::exception& error) {
    shell.err << "weir: " << printable_lines(error.what()) << '\n';
    return kFailed;
  }
}

}  // namespace weir::daemon
