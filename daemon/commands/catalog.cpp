// weir catalog
#include "daemon/text/catalog.hpp"

#include <algorithm>
#include <ostream>

#include <fmt/format.h>

#include "daemon/commands/command.hpp"
#include "text/suggest.hpp"
#include "time/rfc3339.hpp"

namespace weir::daemon {
namespace {

struct Options {
  std::string provider, tier, as_of;
  bool all = false, json = false;
};

void check_word(std::string_view what, const std::string& given, const std::vector<std::string>& known) {
  if (given.empty() || std::find(known.begin(), known.end(), given) != known.end()) return;
  const std::vector<std::string_view> words(known.begin(), known.end());
  throw CommandError(kWrongUsage, fmt::format("{} \"{}\" is not known: known are {}{}", what, given,
                                              list_words(words, false, " and "), did_you_mean(given, words)));
}

int run(const Options& options, Shell& shell) {
  const auto& catalog = catalog::Catalog::embedded();
  const std::vector<std::string> known = catalog.providers();
  check_word("provider", options.provider, known);
  if (!options.as_of.empty() && (options.as_of.size() != 10 || !parse_rfc3339(options.as_of))) {
    throw CommandError(kWrongUsage,
                       fmt::format("--as-of takes a date as 2026-11-22, not \"{}\"", options.as_of));
  }
  std::vector<std::string> providers = {options.provider};
  if (options.provider.empty()) providers = known;
  std::vector<std::string> tiers;
  for (const std::string& provider : providers) {
    for (std::string& tier : catalog.tiers(provider)) {
      if (std::find(tiers.begin(), tiers.end(), tier) == tiers.end()) tiers.push_back(std::move(tier));
    }
  }
  check_word("tier", options.tier, tiers);

  std::vector<CatalogView> views;
  for (const std::string& provider : providers) {
    CatalogView view{provider,
                     select_entries(catalog.entries(provider, options.as_of), options.tier, options.all),
                     catalog.prices(provider)};
    std::erase_if(view.prices, [&](const auto& price) {
      return !price.known || (!options.as_of.empty() && price.valid_from > options.as_of);
    });
    views.push_back(std::move(view));
  }
  if (options.json) {
    shell.out << catalog_json(views).dump(2) << '\n';
    return kDone;
  }
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (i > 0) shell.out << '\n';
    shell.out << render_catalog(views[i], shell.look);
  }
  return kDone;
}

}  // namespace

void add_catalog(CLI::App& program, Shell& shell, Action& action) {
  auto* command = program.add_subcommand(
      "catalog", "Shows the published limits and prices it knows, with source and date");
  command->footer(
      "  weir catalog --provider gemini --tier free\n"
      "  weir catalog --provider gemini --as-of 2025-06-01   # as published by that day\n"
      "  weir catalog --all                                  # superseded ones too");
  const auto options = std::make_shared<Options>();
  command->add_option("--provider", options->provider, "only this provider's")->type_name("NAME");
  command->add_option("--tier", options->tier, "only this tier's")->type_name("NAME");
  command->add_option("--as-of", options->as_of, "as published by this day")->type_name("DATE");
  command->add_flag("--all", options->all, "also what was superseded since");
  command->add_flag("--json", options->json, "as JSON");
  command->callback(
      [&shell, &action, options] { action = [&shell, options] { return run(*options, shell); }; });
}

}  // namespace weir::daemon
