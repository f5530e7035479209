#include "daemon/config.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "daemon/bounded_file.hpp"
#include "daemon/config_sections.hpp"
#include "daemon/listen_address.hpp"
#include "daemon/secret_file.hpp"

namespace weir::daemon {
namespace {

constexpr std::int64_t kKiB = 1024, kMiB = 1024 * 1024;

void read_server(ConfigReader& reader, TomlTable& document, Config& config) {
  const toml::table* section = document.table("server");
  if (section == nullptr) return;
  TomlTable table(*section, "[server]", reader.findings);
  ServerConfig& server = config.server;
  const bool listens = table.texts("listen", server.listen);
  const bool guarded = table.has("token_file");  // a bad one is an error of its own
  read_secret_key(reader, table, "token_file", server.bearer_token);
  table.texts("allowed_hosts", server.allowed_hosts);
  table.count("max_connections", server.max_connections, 1, 1'000'000);
  table.count("max_header_bytes", server.max_header_bytes, kKiB, kMiB);
  table.count("max_body_bytes", server.max_body_bytes, kKiB, 64 * kMiB);
  table.finish();
  if (!listens) return;
  if (server.listen.empty()) table.error("listen", "listen is empty: give at least one address");
  for (std::size_t i = 0; i < server.listen.size(); ++i) {
    const ListenAddress address = parse_listen(server.listen[i]);
    if (!address.problem.empty()) {
      reader.findings.error(table.place("listen", i),
                            fmt::format("\"{}\" {}", server.listen[i], address.problem));
    } else if (!address.local() && !guarded) {
      reader.findings.error(
          table.place("listen", i),
          fmt::format("\"{}\" can be reached from other machines: set token_file to the name of a "
                      "file with a bearer token, or listen on 127.0.0.1",
                      server.listen[i]));
    }
  }
}

void read_ledger(ConfigReader& reader, TomlTable& document, Config& config) {
  ledger::Options& options = config.ledger;
  options.path = "weir.db";
  Place place = document.place();
  if (const toml::table* section = document.table("ledger")) {
    TomlTable table(*section, "[ledger]", reader.findings);
    table.text("path", options.path);
    place = table.place("path");
    std::size_t word = 0;
    if (table.choice("durability", {"process", "power"}, word)) {
      options.durability = word == 0 ? ledger::Durability::process : ledger::Durability::power;
    }
    if (table.choice("on_failure", {"spool", "deny"}, word)) {
      options.on_failure = word == 0 ? ledger::OnFailure::spool : ledger::OnFailure::deny;
    }
    std::int64_t days = options.retention_days;
    table.integer("retention_days", days, 1, 36'500);
    options.retention_days = static_cast<int>(days);
    table.count("spool_calls", options.spool_calls, 0, 10'000'000);
    table.finish();
  }
  const std::filesystem::path path(options.path);
  if (path.is_absolute()) return;
  if (const auto directory = state_directory(reader.environment)) {
    options.path = (std::filesystem::path(*directory) / path).string();
  } else {
    reader.findings.error(
        place, fmt::format("ledger path \"{}\" is relative, and there is no state directory: give an "
                           "absolute path, or set STATE_DIRECTORY, XDG_STATE_HOME or HOME",
                           options.path));
  }
}

void read_queue(ConfigReader& reader, TomlTable& document, Config& config) {
  const toml::table* section = document.table("queue");
  if (section == nullptr) return;
  TomlTable table(*section, "[queue]", reader.findings);
  table.number("max_wait_s", config.queue.max_wait_s, 0, 86'400);
  table.count("max_waiting", config.queue.max_waiting, 0, 1'000'000);
  table.count("max_open", config.queue.max_open, 1, 10'000'000);
  table.finish();
}

void read_estimates(ConfigReader& reader, TomlTable& document, Config& config) {
  const toml::table* section = document.table("estimates");
  if (section == nullptr) return;
  TomlTable table(*section, "[estimates]", reader.findings);
  table.number("quantile", config.estimates.quantile, 0.5, 0.999);
  table.finish();
}

void read_proxy(ConfigReader& reader, TomlTable& document, Config& config) {
  const toml::table* section = document.table("proxy");
  if (section == nullptr) return;
  TomlTable table(*section, "[proxy]", reader.findings);
  ProxyConfig& proxy = config.proxy;
  table.number("wait_s", proxy.wait_s, 0, 86'400);
  table.count("max_metered_body_bytes", proxy.max_metered_body_bytes, kKiB, 1024 * kMiB);
  table.count("max_held_bytes", proxy.max_held_bytes, kKiB, 64 * 1024 * kMiB);
  if (proxy.max_held_bytes < proxy.max_metered_body_bytes) {
    table.error(
        table.has("max_held_bytes") ? "max_held_bytes" : "max_metered_body_bytes",
        fmt::format("max_held_bytes ({}) must be at least max_metered_body_bytes ({}): a body of that size "
                    "could never be held",
                    proxy.max_held_bytes, proxy.max_metered_body_bytes));
  }
  table.count("retry", proxy.retry, 0, 10);
  table.number("connect_timeout_s", proxy.connect_timeout_s, 0.1, 3600);
  table.number("first_byte_timeout_s", proxy.first_byte_timeout_s, 0.1, 86'400);
  table.number("idle_timeout_s", proxy.idle_timeout_s, 0.1, 86'400);
  table.number("keep_alive_s", proxy.keep_alive_s, 0.1, 3600);
  table.count("max_idle_connections", proxy.max_idle_connections, 0, 10'000);
  table.finish();
}

constexpr std::size_t kLongestFile = 1024 * 1024;

std::string read_text(const std::string& path, std::string& problem) {
  // O_NONBLOCK: a FIFO by that name must not hang.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    problem = std::strerror(errno);
    return {};
  }
  std::string text;
  struct stat info {};
  if (::fstat(fd, &info) != 0) {
    problem = std::strerror(errno);
  } else if (!S_ISREG(info.st_mode)) {
    problem = "it is not a regular file";
  } else {
    text = read_at_most(fd, kLongestFile, problem);
    if (text.size() > kLongestFile) problem = "it is longer than 1 MiB";
  }
  ::close(fd);
  return text;
}

}  // namespace

bool read_secret_key(ConfigReader& reader, TomlTable& table, std::string_view key, Secret& out) {
  std::string name;
  if (!table.text(key, name)) return false;
  const std::string path = find_secret(name, reader.file, reader.environment);
  SecretFile secret = read_secret(path);
  if (!secret.problem.empty()) {
    table.error(key, fmt::format("cannot read {} {}: {}", key, path, secret.problem));
    return false;
  }
  // The service manager guards its credentials by the directory, and may show the group's bits on them.
  const std::string& credentials = reader.environment.credentials_directory;
  if ((secret.mode & 077U) != 0 && (credentials.empty() || !path.starts_with(credentials + "/"))) {
    reader.findings.warning(table.place(key),
                            fmt::format("{} {} can be read by others (mode {:04o}): run chmod 600 on it", key,
                                        path, secret.mode));
  }
  out = Secret(std::move(secret.text));
  return true;
}

std::vector<std::string> longer_than_kept(const Config& config, int retention_days) {
  std::vector<std::string> faults;
  const auto check = [&](std::string_view kind, const auto& owners) {
    for (const auto& owner : owners) {
      for (const quota::LimitSpec& limit : owner.limits) {
        if (limit.window.length <= std::chrono::days(retention_days)) continue;
        faults.push_back(
            fmt::format("limit {} of {} {} counts longer than ledger.retention_days = {} keeps "
                        "calls: make that larger, or the window shorter",
                        limit.name, kind, owner.name, retention_days));
      }
    }
  };
  check("project", config.projects);
  check("consumer", config.consumers);
  return faults;
}

std::string_view to_string(Priority priority) {
  switch (priority) {
    case Priority::high:
      return "high";
    case Priority::normal:
      return "normal";
    case Priority::low:
      return "low";
  }
  return {};
}

std::string to_string(const ConfigError& error) {
  if (error.line == 0) return fmt::format("{}: {}", error.file, error.message);  // of the file as a whole
  return fmt::format("{}:{}:{}: {}", error.file, error.line, error.column, error.message);
}

ConfigResult parse_config(std::string_view text, const std::string& file, const Environment& environment,
                          const catalog::Catalog& catalog) {
  toml::table root;
  try {
    root = toml::parse(text, file);
  } catch (const toml::parse_error& error) {
    const auto place = error.source().begin;
    return std::vector<ConfigError>{{file, static_cast<int>(place.line), static_cast<int>(place.column),
                                     std::string(error.description())}};
  }
  Findings findings(file);
  ConfigReader reader{findings, file, environment, catalog};
  TomlTable document(root, "", findings);
  Config config;
  config.file = file;
  read_server(reader, document, config);
  read_ledger(reader, document, config);
  read_queue(reader, document, config);
  read_estimates(reader, document, config);
  read_proxy(reader, document, config);
  read_projects(reader, document, config);
  read_pools(reader, document, config);
  read_consumers(reader, document, config);
  for (std::string& fault : longer_than_kept(config, config.ledger.retention_days)) {
    findings.error(document.place(), std::move(fault));
  }
  document.finish();
  config.warnings = findings.take_warnings();
  auto errors = findings.take_errors();
  if (!errors.empty()) return errors;
  return config;
}

ConfigResult load_config(const std::string& path, const Environment& environment,
                         const catalog::Catalog& catalog) {
  std::string problem;
  const std::string text = read_text(path, problem);
  if (!problem.empty()) {
    return std::vector<ConfigError>{{path, 0, 0, fmt::format("cannot read the configuration: {}", problem)}};
  }
  return parse_config(text, path, environment, catalog);
}

ConfigResult default_config(const Environment& environment, const catalog::Catalog& catalog) {
  auto result = parse_config("", "embedded defaults", environment, catalog);
  if (auto* config = std::get_if<Config>(&result)) config->file.clear();
  return result;
}

}  // namespace weir::daemon
