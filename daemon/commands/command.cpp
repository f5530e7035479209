#include "daemon/commands/command.hpp"

#include <ostream>

#include <fmt/format.h>

#include "daemon/secret_file.hpp"
#include "daemon/text/admission.hpp"
#include "daemon/time_argument.hpp"
#include "text/printable.hpp"
#include "time/rfc3339.hpp"

namespace weir::daemon {

void add_daemon_options(CLI::App& command, DaemonOptions& options) {
  command.add_option("--url", options.url, "the daemon: http://host:port or unix:/path (default: $WEIR_URL)")
      ->type_name("URL");
  command
      .add_option("--token-file", options.token_file,
                  "file with its bearer token (default: $WEIR_TOKEN_FILE)")
      ->type_name("FILE");
}

Client connect(const DaemonOptions& options, const Shell& shell) {
  Endpoint endpoint = find_daemon(options.url, shell.environment);
  if (!endpoint.problem.empty()) {
    throw CommandError(kWrongUsage,
                       fmt::format("the daemon's URL \"{}\" {}", endpoint.text, endpoint.problem));
  }
  const std::string& file = options.token_file.empty() ? shell.environment.token_file : options.token_file;
  Secret token;
  if (!file.empty()) {
    SecretFile secret = read_secret(file);
    if (!secret.problem.empty()) {
      throw CommandError(kWrongUsage, fmt::format("cannot read the token file {}: {}", file, secret.problem));
    }
    token = Secret(std::move(secret.text));
  }
  return Client(std::move(endpoint), std::move(token));
}

nlohmann::json json_of(const ClientAnswer& answer) {
  auto parsed = nlohmann::json::parse(answer.body, nullptr, false);
  return parsed.is_discarded() ? nlohmann::json() : parsed;
}

CommandError refusal(const ClientAnswer& answer) {
  return {problem_exit_code(answer.status), render_problem(json_of(answer), answer.status)};
}

nlohmann::json fetch(Client& client, const ClientRequest& request) {
  const ClientAnswer answer = client.send(request);
  nlohmann::json body = json_of(answer);
  if (answer.status != 200 && answer.status != 201) throw refusal(answer);
  if (!body.is_object()) {
    throw CommandError(kFailed, fmt::format("what answers at {} is not weir: its answer is not JSON",
                                            client.endpoint().text));
  }
  return body;
}

std::string query_string(const std::vector<std::pair<std::string_view, std::string>>& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    if (value.empty()) continue;
    out += out.empty() ? '?' : '&';
    out += name;
    out += '=';
    out += percent_encode(value);
  }
  return out;
}

std::string time_field(std::string_view option, const std::string& text, const Shell& shell) {
  if (text.empty()) return {};
  const auto at = parse_time_argument(text, shell.now());
  if (!at) {
    throw CommandError(kWrongUsage,
                       fmt::format("{} takes a time as 2026-11-22, 2026-11-22T08:00:00Z, or an age as 24h or "
                                   "7d, not \"{}\"",
                                   option, text));
  }
  return to_rfc3339(*at);
}

CLI::Validator number_within(double least, double most) {
  const auto problem = [least, most](const std::string& text) -> std::string {
    double number = 0;
    const bool within =
        CLI::detail::lexical_cast(text, number) && number >= least && number <= most;  // never so of a NaN
    return within ? "" : fmt::format("\"{}\" is not a number from {} to {}", text, least, most);
  };
  return CLI::Validator(problem, "");
}

Config read_configuration(const std::string& given, Shell& shell) {
  const auto& catalog = catalog::Catalog::embedded();
  const auto path = find_config(given, shell.environment);
  ConfigResult result =
      path ? load_config(*path, shell.environment, catalog) : default_config(shell.environment, catalog);
  if (const auto* errors = std::get_if<std::vector<ConfigError>>(&result)) {
    for (const ConfigError& error : *errors) shell.err << printable_lines(to_string(error)) << '\n';
    throw CommandError(kWrongUsage, fmt::format("the configuration has {} {}", errors->size(),
                                                errors->size() == 1 ? "error" : "errors"));
  }
  Config config = std::move(std::get<Config>(result));
  for (ConfigError warning : config.warnings) {
    warning.message.insert(0, "warning: ");
    shell.err << printable_lines(to_string(warning)) << '\n';
  }
  return config;
}

}  // namespace weir::daemon
