// weir generate: manual pages and completions, for packages. Not listed by --help.
#include <iostream>
#include <iterator>

#include "daemon/commands/command.hpp"
#include "daemon/text/completions.hpp"
#include "daemon/text/manual.hpp"
#include "daemon/version.hpp"

namespace weir::daemon {

void add_generate(CLI::App& program, Shell& shell, Action& action) {
  auto* command = program.add_subcommand("generate", "Writes a manual page or a shell's completion");
  command->group("");
  command->footer(
      "  weir generate bash > /usr/share/bash-completion/completions/weir\n"
      "  weir generate config-man < weir.toml > weir.toml.5");
  const auto what = std::make_shared<std::string>();
  command->add_option("what", *what, "man, config-man, bash, zsh or fish")
      ->required()
      ->type_name("")
      ->check(CLI::IsMember({"man", "config-man", "bash", "zsh", "fish"}));
  command->callback([&program, &shell, &action, what] {
    action = [&program, &shell, what] {
      if (*what == "config-man") {
        const std::string config(std::istreambuf_iterator<char>(std::cin), {});
        shell.out << config_manual_page(config, kVersion);
        return kDone;
      }
      const CommandText text = command_line(program);
      if (*what == "man") shell.out << manual_page(text, kVersion);
      if (*what == "bash") shell.out << bash_completion(text);
      if (*what == "zsh") shell.out << zsh_completion(text);
      if (*what == "fish") shell.out << fish_completion(text);
      return kDone;
    };
  });
}

}  // namespace weir::daemon
