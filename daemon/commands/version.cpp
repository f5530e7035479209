// weir version
#include "daemon/version.hpp"

#include <fstream>
#include <ostream>

#include <boost/version.hpp>
#include <date/tz.h>
#include <fmt/format.h>
#include <simdjson.h>
#include <sqlite3.h>

#include "daemon/commands/command.hpp"

namespace weir::daemon {
namespace {

std::string boost_version() {
  return fmt::format("{}.{}.{}", BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000, BOOST_VERSION % 100);
}

std::string tz_version() {
  try {
    const std::string& version = date::get_tzdb().version;
    if (version != "unknown" && !version.empty()) return version;
    // Debian tells it only in the first line of the compact source: "# version 2024b".
    std::ifstream source("/usr/share/zoneinfo/tzdata.zi");
    std::string line;
    constexpr std::string_view kLead = "# version ";
    if (std::getline(source, line) && line.starts_with(kLead)) return line.substr(kLead.size());
    return "unknown";
  } catch (const std::exception&) {
    return "not found";
  }
}

int run(bool json, Shell& shell) {
  const std::string fmt_version =
      fmt::format("{}.{}.{}", FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100);
  const std::string simdjson_version =
      fmt::format("{}.{}.{}", static_cast<int>(simdjson::SIMDJSON_VERSION_MAJOR),
                  static_cast<int>(simdjson::SIMDJSON_VERSION_MINOR),
                  static_cast<int>(simdjson::SIMDJSON_VERSION_REVISION));
  // What runs, not what was compiled against, where the library can tell.
  const nlohmann::ordered_json libraries = {{"boost", boost_version()},
                                            {"sqlite", sqlite3_libversion()},
                                            {"simdjson", simdjson_version},
                                            {"fmt", fmt_version},
                                            {"tzdata", tz_version()}};
#ifdef __clang__
  const std::string compiler = "clang " __clang_version__;
#else
  const std::string compiler = "gcc " __VERSION__;
#endif
  if (json) {
    const nlohmann::ordered_json all = {
        {"version", kVersion}, {"commit", kCommit}, {"compiler", compiler}, {"libraries", libraries}};
    shell.out << all.dump(2) << '\n';
    return kDone;
  }
  shell.out << fmt::format("weir {} ({})\ncompiler  {}\n", kVersion, kCommit, compiler);
  for (const auto& [name, version] : libraries.items()) {
    shell.out << fmt::format("{:<9} {}\n", name, version.get<std::string>());
  }
  return kDone;
}

}  // namespace

void add_version(CLI::App& program, Shell& shell, Action& action) {
  auto* command = program.add_subcommand("version", "Shows the version of the program and of its libraries");
  command->footer("  weir version\n  weir version --json | jq -r .commit");
  const auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "as JSON");
  command->callback([&shell, &action, json] { action = [&shell, json] { return run(*json, shell); }; });
}

}  // namespace weir::daemon
