// A configuration file: any text is a configuration or a list of errors, each with its place.
#include "daemon/config.hpp"

#include "catalog/catalog.hpp"

#include "fuzz.hpp"

namespace weir::fuzz {

void run(std::string_view input) {
  daemon::Environment environment;
  environment.home = "/nonexistent";
  const daemon::ConfigResult result =
      daemon::parse_config(input, "/nonexistent/weir.toml", environment, catalog::Catalog::embedded());
  if (const auto* errors = std::get_if<std::vector<daemon::ConfigError>>(&result)) {
    expect(!errors->empty(), "a refused file has an error");
    for (const daemon::ConfigError& error : *errors) expect(!to_string(error).empty(), "an error has words");
    return;
  }
  const auto& config = std::get<daemon::Config>(result);
  expect(!config.projects.empty(), "there is always a project");
  for (const daemon::ProjectConfig& project : config.projects) {
    for (const quota::LimitSpec& limit : project.limits) expect(limit.amount >= 0, "no limit is negative");
  }
}

}  // namespace weir::fuzz
