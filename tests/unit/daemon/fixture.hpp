// What the tests of the daemon's room share: a directory of their own, a small catalog, an environment.
#pragma once

#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include <stdlib.h>
#include <sys/stat.h>

#include "catalog/catalog.hpp"
#include "daemon/config.hpp"
#include "daemon/environment.hpp"

namespace weir::daemon {

class TempDirectory {
 public:
  TempDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "weir-test-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  [[nodiscard]] std::string path(std::string_view name) const { return (path_ / name).string(); }
  std::string write(std::string_view name, std::string_view text, mode_t mode = 0600) const {
    const std::string file = path(name);
    std::filesystem::create_directories(std::filesystem::path(file).parent_path());
    std::ofstream(file, std::ios::binary) << text;
    ::chmod(file.c_str(), mode);
    return file;
  }

 private:
  std::filesystem::path path_;
};

inline const catalog::Catalog& small_catalog() {
  static const catalog::Catalog kCatalog = catalog::Catalog::parse({{"gemini.json", R"({
    "provider": "gemini", "base_url": "https://gemini.test", "time_zone": "America/Los_Angeles",
    "tiers": {"free": "no billing", "tier1": "billing"}, "prefixes": ["models/"], "columns": ["requests/day"],
    "tables": [{"date": "2026-09-04", "tier": "free", "source": "test", "limits": {"gemini-2.5-flash": [20]}}]})"},
                                                                    {"groq.json", R"({
    "provider": "groq", "base_url": "https://groq.test", "time_zone": "UTC", "tiers": {"free": "no billing"}, "tables": []})"}});
  return kCatalog;
}

inline Environment test_environment() {
  Environment environment;
  environment.home = "/home/somebody";
  return environment;
}

// Each error as a line.
inline std::string errors_of(const ConfigResult& result) {
  const auto* errors = std::get_if<std::vector<ConfigError>>(&result);
  if (errors == nullptr) return "";
  std::string out;
  for (const ConfigError& error : *errors) out += to_string(error) + "\n";
  return out;
}

}  // namespace weir::daemon
