// The daemon's configuration: a value read from one TOML file and the embedded defaults, checked in full,
// then constant.
//
// A file is bad input, not a failure: load_config() answers either a Config or every error that it found,
// each with its place. It reads secrets (so that a wrong path shows at start, not at the first call) and
// touches nothing else on disk; the ledger's directory may not exist yet.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "catalog/catalog.hpp"
#include "daemon/environment.hpp"
#include "ledger/ledger.hpp"
#include "quota/limit.hpp"
#include "time/instant.hpp"

#include "upstream/via.hpp"

namespace weir::daemon {

// Something wrong, and where: lines and columns count from 1.
struct ConfigError {
  std::string file;
  int line = 0, column = 0;
  std::string message;
  bool operator==(const ConfigError&) const = default;
};

std::string to_string(const ConfigError& error);  // "weir.toml:3:1: unknown key …"

// A secret's text, which nothing prints by accident.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] const std::string& reveal() const { return text_; }
  [[nodiscard]] bool empty() const { return text_.empty(); }
  bool operator==(const Secret&) const = default;

 private:
  std::string text_;
};

struct ServerConfig {
  std::vector<std::string> listen = {"127.0.0.1:8411"};  // "host:port", "[::1]:port", "unix:/absolute/path"
  Secret bearer_token;  // empty: none asked, which only loopback and unix addresses allow
  std::vector<std::string> allowed_hosts;
  std::size_t max_connections = 4096;
  std::size_t max_header_bytes = 16 * 1024;
  std::size_t max_body_bytes = 1 << 20;
  bool operator==(const ServerConfig&) const = default;
};

struct QueueConfig {
  double max_wait_s = 60;
  std::size_t max_waiting = 1000;
  std::size_t max_open = 100'000;  // open admissions, past which none is given
  bool operator==(const QueueConfig&) const = default;
};

struct EstimatesConfig {
  double quantile = 0.95;  // of actual / estimated input tokens, by which estimates are corrected
  bool operator==(const EstimatesConfig&) const = default;
};

struct ProxyConfig {
  double wait_s = 30;  // for room, unless the caller says otherwise; bounded by queue.max_wait_s
  std::size_t max_metered_body_bytes = std::size_t{20} << 20;
  std::size_t max_held_bytes = std::size_t{256} << 20;  // of metered requests' bodies, together
  std::size_t retry = 0;                                // further attempts after a 429 or 503
  double connect_timeout_s = 10;
  double first_byte_timeout_s = 600;
  double idle_timeout_s = 300;
  double keep_alive_s = 55;
  std::size_t max_idle_connections = 64;  // per upstream
  bool operator==(const ProxyConfig&) const = default;
};

struct ProjectConfig {
  std::string name = "default";
  std::string provider = "gemini";
  std::string tier = "free";
  std::string as_of;  // "2026-11-22"; "" = the latest limits
  bool use_catalog = true;
  bool explore = false;
  Secret api_key;       // the proxy's; empty: none configured
  std::string ca_file;  // authorities that the proxy trusts in place of the system's; absolute; "" = none
  std::optional<upstream::Via> via;  // the HTTP proxy on the way to base_url
  std::string base_url;   // without a trailing slash; default: the catalog's for the provider; may be empty
  std::string time_zone;  // IANA, exists: the provider's, in which reports cut their days
  Micros guard{250'000};  // network jitter that the quota arithmetic allows for
  std::vector<quota::LimitSpec> limits;  // source config, names unique in the project
  bool operator==(const ProjectConfig&) const = default;
};

struct PoolConfig {
  std::string name;
  std::vector<std::string> projects;                         // in the order in which they are tried
  std::map<std::string, std::vector<std::string>> fallback;  // model -> other models, in order
  bool operator==(const PoolConfig&) const = default;
};

enum class Priority : std::uint8_t { high, normal, low };
std::string_view to_string(Priority priority);

struct ConsumerConfig {
  std::string name;
  Priority priority = Priority::normal;
  double weight = 1;
  Secret token;               // who presents it is this consumer, and no more; empty: none
  double requests_per_s = 0;  // that may come with the token; 0: any number
  double max_share = 1;       // (0, 1], of any one limit
  // Hold in every project, each with its own counter. LimitSpec::consumer is the consumer's name, and the
  // limit's name ends in
  // "@" and that, so that it never equals a project's. A calendar limit's time_zone may be "": the project's.
  std::vector<quota::LimitSpec> limits;
  bool operator==(const ConsumerConfig&) const = default;
};

struct Config {
  std::string file;  // where it came from; "" = embedded defaults (nothing to reload)
  ServerConfig server;
  ledger::Options ledger;  // path is absolute
  QueueConfig queue;
  EstimatesConfig estimates;
  ProxyConfig proxy;
  std::vector<ProjectConfig> projects;  // never empty
  std::vector<PoolConfig> pools;
  std::vector<ConsumerConfig> consumers;
  std::vector<ConfigError> warnings;  // secrets that others may read; print them
};

using ConfigResult = std::variant<Config, std::vector<ConfigError>>;

// Reads `path`. A file that cannot be read is one error at 0:0.
ConfigResult load_config(const std::string& path, const Environment& environment,
                         const catalog::Catalog& catalog);

// The same for a text; `file` names it in errors, and its directory is where relative secrets are looked for
// first.
ConfigResult parse_config(std::string_view text, const std::string& file, const Environment& environment,
                          const catalog::Catalog& catalog);

// Sliding windows longer than single calls are kept, one sentence each: a start or a reload, which count them
// anew from the ledger, would find too few.
std::vector<std::string> longer_than_kept(const Config& config, int retention_days);

// What holds without a file: parse_config of an empty text.
ConfigResult default_config(const Environment& environment, const catalog::Catalog& catalog);

}  // namespace weir::daemon
