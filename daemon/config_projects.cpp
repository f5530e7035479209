// [[projects]], [[pools]] and [[consumers]].
#include <algorithm>
#include <cmath>
#include <filesystem>

#include <fmt/format.h>

#include "daemon/config_sections.hpp"
#include "daemon/environment.hpp"
#include "http/text.hpp"
#include "text/suggest.hpp"

#include "upstream/origin.hpp"

namespace weir::daemon {
namespace {

// A name that was given, and where, to tell of the first when it comes again.
struct Named {
  std::string name;
  std::string_view kind;  // "project"
  int line;
};

std::vector<std::string_view> views(const std::vector<std::string>& texts) {
  return {texts.begin(), texts.end()};
}

template <typename Items>
std::vector<std::string_view> names_of(const Items& items) {
  std::vector<std::string_view> names;
  names.reserve(items.size());
  for (const auto& item : items) names.emplace_back(item.name);
  return names;
}

// Whether `name` is new; else an error.
bool claim(std::vector<Named>& taken, TomlTable& table, std::string_view kind, const std::string& name) {
  for (const Named& other : taken) {
    if (other.name != name) continue;
    table.error("name", fmt::format("the name \"{}\" is already that of the {} in line {}", name, other.kind,
                                    other.line));
    return false;
  }
  taken.push_back({name, kind, table.place("name").line});
  return true;
}

// parse_base_url() knows what a base URL is; this one says in words what is wrong with one that is none.
std::string_view url_problem(std::string_view url) {
  if (!http::starts_with_ignoring_case(url, "https://") && !http::starts_with_ignoring_case(url, "http://"))
    return "must begin with https:// or http://";
  const std::string_view rest = url.substr(url.find("://") + 3);
  if (rest.empty() || rest.front() == '/' || rest.front() == ':') return "has no host";
  if (rest.find_first_of("?#@ \t\r\n\"\\") != std::string_view::npos)
    return "must hold neither a query, nor a user, nor blanks";
  if (!upstream::parse_base_url(url)) return "is not https://host[:port], with a port from 1 to 65535";
  return {};
}

// Without TLS, to another machine.
bool sent_in_clear(std::string_view url) {
  const auto base = upstream::parse_base_url(url);
  return base && !base->origin.tls && !base->origin.loopback();
}

void read_provider(ConfigReader& reader, TomlTable& table, ProjectConfig& project) {
  const auto providers = reader.catalog.providers();
  bool known = true;
  if (table.text("provider", project.provider)) {
    known = std::find(providers.begin(), providers.end(), project.provider) != providers.end();
    if (!known) {
      table.error("provider", fmt::format("provider \"{}\" is not known: known are {}{}", project.provider,
                                          list_words(views(providers), false, " and "),
                                          did_you_mean(project.provider, views(providers))));
    }
  }
  const auto tiers = known ? reader.catalog.tiers(project.provider) : std::vector<std::string>();
  if (table.text("tier", project.tier)) {
    if (!tiers.empty() && !reader.catalog.has_tier(project.provider, project.tier)) {
      table.error("tier", fmt::format("tier \"{}\" is not known for {}: known are {}{}", project.tier,
                                      project.provider, list_words(views(tiers), false, " and "),
                                      did_you_mean(project.tier, views(tiers))));
    }
  } else if (!table.has("tier") && !tiers.empty() &&
             !reader.catalog.has_tier(project.provider, project.tier)) {
    table.missing("tier", fmt::format("for {} it is {}", project.provider, list_words(views(tiers), false)));
  }
  if (!known) return;
  project.time_zone = reader.catalog.time_zone(project.provider);
  project.base_url = reader.catalog.base_url(project.provider);
}

ProjectConfig read_project(ConfigReader& reader, TomlTable& table) {
  ProjectConfig project;
  read_name(table, project.name, "requests name the project by it");
  read_provider(reader, table, project);
  if (project.time_zone.empty()) project.time_zone = "UTC";
  table.date("as_of", project.as_of);
  table.boolean("use_catalog", project.use_catalog);
  table.boolean("explore", project.explore);
  read_secret_key(reader, table, "api_key_file", project.api_key);
  if (std::string name; table.text("ca_file", name)) {
    project.ca_file = find_secret(name, reader.file, reader.environment);
    if (std::error_code failed; !std::filesystem::is_regular_file(project.ca_file, failed))
      table.error("ca_file", fmt::format("ca_file {} is not there", project.ca_file));
  }
  if (table.text("base_url", project.base_url)) {
    if (const auto problem = url_problem(project.base_url); !problem.empty()) {
      table.error("base_url", fmt::format("base_url \"{}\" {}", project.base_url, problem));
    }
  }
  while (project.base_url.ends_with('/')) project.base_url.pop_back();
  if (sent_in_clear(project.base_url)) {
    reader.findings.warning(
        table.place("base_url"),
        fmt::format("base_url \"{}\" is not https: the API key, and all that is asked and "
                    "answered, can be read on the way",
                    project.base_url));
  }
  read_via(reader, table, project);
  double guard_s = seconds(project.guard);
  if (table.number("guard_s", guard_s, 0, 60)) project.guard = Micros(std::llround(guard_s * 1e6));
  project.limits = read_limits(
      reader, table, "[[projects.limits]]",
      {project.use_catalog ? std::string_view(project.provider) : std::string_view(), project.time_zone, {}});
  table.finish();
  return project;
}

void read_fallback(ConfigReader& reader, TomlTable& table, PoolConfig& pool) {
  const toml::table* fallback = table.table("fallback");
  if (fallback == nullptr) return;
  TomlTable models(*fallback, "fallback", reader.findings);
  for (const auto& [key, value] : *fallback) {
    const std::string model(key.str());
    std::vector<std::string> others;
    if (!models.texts(model, others)) continue;
    if (others.empty())
      models.error(model, fmt::format("fallback of \"{}\" is empty: name the models to try", model));
    if (std::find(others.begin(), others.end(), model) != others.end()) {
      models.error(model, fmt::format("fallback of \"{}\" names the model itself", model));
    }
    pool.fallback[model] = std::move(others);
  }
}

ConsumerConfig read_consumer(ConfigReader& reader, TomlTable& table) {
  ConsumerConfig consumer;
  read_name(table, consumer.name, "requests name the consumer by it");
  std::size_t word = 0;
  if (table.choice("priority", {"high", "normal", "low"}, word))
    consumer.priority = static_cast<Priority>(word);
  if (table.number("weight", consumer.weight, 0, 1e6) && consumer.weight < 0.001) {
    table.error("weight", "weight must be at least 0.001");
  }
  if (table.number("max_share", consumer.max_share, 0, 1) && consumer.max_share <= 0) {
    table.error("max_share",
                "max_share must be above 0: it is the part of a limit that the consumer may use");
  }
  const bool has_token = table.has("token_file");  // a bad one is an error of its own
  read_secret_key(reader, table, "token_file", consumer.token);
  if (table.number("requests_per_s", consumer.requests_per_s, 0, 1e6)) {
    if (consumer.requests_per_s < 0.01) {
      table.error("requests_per_s", "requests_per_s must be at least 0.01; leave it out for no limit");
    } else if (!has_token) {
      table.error("requests_per_s",
                  "requests_per_s needs a token_file: without a token anybody can call himself by the "
                  "consumer's name");
    }
  }
  consumer.limits = read_limits(reader, table, "[[consumers.limits]]", {{}, {}, consumer.name});
  table.finish();
  return consumer;
}

}  // namespace

bool read_name(TomlTable& table, std::string& out, std::string_view what_for) {
  if (!table.has("name")) {
    table.take("name");
    table.missing("name", what_for);
    return false;
  }
  if (!table.text("name", out)) return false;
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  if (out.size() <= 64 && std::all_of(out.begin(), out.end(), fits) && out.front() != '.' &&
      out.front() != '-')
    return true;
  table.error(
      "name",
      fmt::format("name \"{}\" must be 1 to 64 letters, digits, '.', '_' or '-', and begin with a letter, "
                  "a digit or '_'",
                  out));
  return false;
}

void read_projects(ConfigReader& reader, TomlTable& document, Config& config) {
  std::vector<Named> taken;
  for (const toml::table* section : document.tables("projects")) {
    TomlTable table(*section, "[[projects]]", reader.findings);
    ProjectConfig project = read_project(reader, table);
    if (!table.has("name") || claim(taken, table, "project", project.name))
      config.projects.push_back(std::move(project));
  }
  if (!config.projects.empty()) return;
  ProjectConfig project;
  project.time_zone = reader.catalog.time_zone(project.provider);
  project.base_url = reader.catalog.base_url(project.provider);
  if (project.time_zone.empty()) project.time_zone = "UTC";
  if (auto via = via_of_environment(reader.environment, project.base_url); via.index() == 0)
    project.via = std::get<0>(std::move(via));  // it has no key, so nothing depends on a wrong one
  config.projects.push_back(std::move(project));
}

void read_pools(ConfigReader& reader, TomlTable& document, Config& config) {
  std::vector<Named> taken;
  const auto known = names_of(config.projects);
  for (const toml::table* section : document.tables("pools")) {
    TomlTable table(*section, "[[pools]]", reader.findings);
    PoolConfig pool;
    if (read_name(table, pool.name, "requests name the pool by it, as they would a project")) {
      if (std::find(known.begin(), known.end(), pool.name) != known.end()) {
        table.error(
            "name",
            fmt::format("the name \"{}\" is already that of a project: requests could not tell them apart",
                        pool.name));
      } else {
        claim(taken, table, "pool", pool.name);
      }
    }
    if (!table.has("projects")) table.missing("projects", "a pool needs at least one project");
    if (table.texts("projects", pool.projects)) {
      if (pool.projects.empty())
        table.error("projects", "projects is empty: a pool needs at least one project");
      for (std::size_t i = 0; i < pool.projects.size(); ++i) {
        if (std::find(known.begin(), known.end(), pool.projects[i]) != known.end()) continue;
        reader.findings.error(
            table.place("projects", i),
            fmt::format("there is no project \"{}\"{}: projects are {}", pool.projects[i],
                        did_you_mean(pool.projects[i], known), list_words(known, false, " and ")));
      }
    }
    read_fallback(reader, table, pool);
    table.finish();
    config.pools.push_back(std::move(pool));
  }
}

void read_consumers(ConfigReader& reader, TomlTable& document, Config& config) {
  std::vector<Named> taken;
  for (const toml::table* section : document.tables("consumers")) {
    TomlTable table(*section, "[[consumers]]", reader.findings);
    ConsumerConfig consumer = read_consumer(reader, table);
    for (const ConsumerConfig& other : config.consumers) {
      if (!consumer.token.empty() && consumer.token == other.token) {
        reader.findings.error(table.place("token_file"),
                              fmt::format("the token is also that of consumer \"{}\"", other.name));
      }
    }
    if (!consumer.token.empty() && consumer.token == config.server.bearer_token) {
      reader.findings.error(table.place("token_file"),
                            "the token is also that of [server], which may do everything");
    }
    if (table.has("name")) claim(taken, table, "consumer", consumer.name);
    config.consumers.push_back(std::move(consumer));
  }
}

}  // namespace weir::daemon
