#include "daemon/config_changes.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "quota/amount_text.hpp"

namespace weir::daemon {
namespace {

using Words = std::vector<std::string>;

// Calls `gone`, `come` or `both` for each of two lists of things with names.
template <class Thing, class Gone, class Come, class Both>
void compare(const std::vector<Thing>& before, const std::vector<Thing>& after, const Gone& gone,
             const Come& come, const Both& both) {
  const auto find = [](const std::vector<Thing>& things, const std::string& name) {
    const auto at = std::find_if(things.begin(), things.end(), [&](const auto& t) { return t.name == name; });
    return at == things.end() ? nullptr : &*at;
  };
  for (const Thing& was : before) {
    const Thing* is = find(after, was.name);
    if (is == nullptr) {
      gone(was);
    } else if (!(was == *is)) {
      both(was, *is);
    }
  }
  for (const Thing& is : after) {
    if (find(before, is.name) == nullptr) come(is);
  }
}

std::string amount_of(const quota::LimitSpec& spec) {
  std::string text;
  append_amount(text, spec.metric, spec.amount);
  return text;
}

void compare_limits(const std::string& whose, const std::vector<quota::LimitSpec>& before,
                    const std::vector<quota::LimitSpec>& after, Words& words) {
  const auto say = [&](const quota::LimitSpec& limit, const std::string& what) {
    words.push_back(fmt::format("limit {} of {}: {}", limit.name, whose, what));
  };
  compare(
      before, after, [&](const auto& limit) { say(limit, "removed"); },
      [&](const auto& limit) { say(limit, "added, " + amount_of(limit)); },
      [&](const auto& was, const auto& is) {
        say(is, was.amount != is.amount ? fmt::format("{} -> {}", amount_of(was), amount_of(is)) : "changed");
      });
}

std::string shown(const std::string& text) {
  return text.empty() ? "\"\"" : text;
}
std::string shown(bool value) {
  return value ? "true" : "false";
}
std::string shown(double value) {
  return fmt::format("{}", value);
}
std::string shown(Micros value) {
  return fmt::format("{} s", seconds(value));
}
std::string shown(Priority value) {
  return std::string(to_string(value));
}

// "project default: tier free -> tier1".
template <class Value>
void field(const std::string& whose, const char* name, const Value& before, const Value& after,
           Words& words) {
  if (before == after) return;
  if constexpr (std::is_same_v<Value, Secret>) {
    const char* what = before.empty() ? "added" : after.empty() ? "removed" : "changed";
    words.push_back(fmt::format("{}: {} {}", whose, name, what));
  } else {
    words.push_back(fmt::format("{}: {} {} -> {}", whose, name, shown(before), shown(after)));
  }
}

void compare_projects(const Config& before, const Config& after, Words& words) {
  const auto whose = [](const ProjectConfig& project) { return "project " + project.name; };
  compare(
      before.projects, after.projects,
      [&](const auto& project) { words.push_back(whose(project) + ": removed"); },
      [&](const auto& project) { words.push_back(whose(project) + ": added"); },
      [&](const ProjectConfig& was, const ProjectConfig& is) {
        const std::size_t said = words.size();
        field(whose(is), "provider", was.provider, is.provider, words);
        field(whose(is), "tier", was.tier, is.tier, words);
        field(whose(is), "as_of", was.as_of, is.as_of, words);
        field(whose(is), "use_catalog", was.use_catalog, is.use_catalog, words);
        field(whose(is), "explore", was.explore, is.explore, words);
        field(whose(is), "time_zone", was.time_zone, is.time_zone, words);
        field(whose(is), "guard_s", was.guard, is.guard, words);
        field(whose(is), "base_url", was.base_url, is.base_url, words);
        field(whose(is), "ca_file", was.ca_file, is.ca_file, words);
        if (was.via != is.via) {
          const auto shown_via = [](const auto& via) { return via ? via->authority() : std::string("none"); };
          words.push_back(fmt::format("{}: via {} -> {}", whose(is), shown_via(was.via), shown_via(is.via)));
        }
        field(whose(is), "key", was.api_key, is.api_key, words);
        compare_limits(whose(is), was.limits, is.limits, words);
        if (words.size() == said) words.push_back(whose(is) + ": changed");
      });
}

void compare_consumers(const Config& before, const Config& after, Words& words) {
  const auto whose = [](const ConsumerConfig& consumer) { return "consumer " + consumer.name; };
  compare(
      before.consumers, after.consumers,
      [&](const auto& consumer) { words.push_back(whose(consumer) + ": removed"); },
      [&](const auto& consumer) { words.push_back(whose(consumer) + ": added"); },
      [&](const ConsumerConfig& was, const ConsumerConfig& is) {
        const std::size_t said = words.size();
        field(whose(is), "priority", was.priority, is.priority, words);
        field(whose(is), "weight", was.weight, is.weight, words);
        field(whose(is), "max_share", was.max_share, is.max_share, words);
        field(whose(is), "token", was.token, is.token, words);
        field(whose(is), "requests_per_s", was.requests_per_s, is.requests_per_s, words);
        compare_limits(whose(is), was.limits, is.limits, words);
        if (words.size() == said) words.push_back(whose(is) + ": changed");
      });
}

void compare_pools(const Config& before, const Config& after, Words& words) {
  const auto say = [&](const char* what) {
    return [&words, what](const PoolConfig& pool) {
      words.push_back(fmt::format("pool {}: {}", pool.name, what));
    };
  };
  compare(before.pools, after.pools, say("removed"), say("added"),
          [&](const PoolConfig& /*was*/, const PoolConfig& is) { say("changed")(is); });
}

}  // namespace

Words changes_between(const Config& before, const Config& after) {
  Words words;
  compare_projects(before, after, words);
  compare_pools(before, after, words);
  compare_consumers(before, after, words);
  field("[server]", "token", before.server.bearer_token, after.server.bearer_token, words);
  const auto section = [&](const char* name, bool same) {
    if (!same) words.push_back(fmt::format("{}: changed", name));
  };
  const ServerConfig &was = before.server, &is = after.server;
  section("[server]", was.allowed_hosts == is.allowed_hosts && was.max_connections == is.max_connections &&
                          was.max_header_bytes == is.max_header_bytes &&
                          was.max_body_bytes == is.max_body_bytes);
  section("[queue]", before.queue == after.queue);
  section("[estimates]", before.estimates == after.estimates);
  section("[proxy]", before.proxy == after.proxy);
  return words;
}

Words changes_at_next_start(const Config& before, const Config& after) {
  Words words;
  if (before.server.listen != after.server.listen) {
    words.push_back(fmt::format("[server] listen = [{}] takes effect at the next start",
                                fmt::join(after.server.listen, ", ")));
  }
  const ledger::Options &was = before.ledger, &is = after.ledger;
  if (was.path != is.path)
    words.push_back(fmt::format("[ledger] path = {} takes effect at the next start", is.path));
  if (was.durability != is.durability || was.on_failure != is.on_failure ||
      was.spool_calls != is.spool_calls || was.retention_days != is.retention_days) {
    words.emplace_back("[ledger] settings take effect at the next start");
  }
  return words;
}

}  // namespace weir::daemon
