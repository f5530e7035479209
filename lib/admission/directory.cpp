#include "admission/directory.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "time/rfc3339.hpp"

namespace weir::admission {
namespace {

constexpr char kSeparator = '\x1f';  // cannot stand in a name: control characters are refused at the door
constexpr std::string_view kOther = "other";
constexpr std::int64_t kMicrosPerDay = 86'400'000'000;

void join(std::string& out, std::string_view a, std::string_view b, std::string_view c = {}) {
  out.assign(a);
  out += kSeparator;
  out += b;
  out += kSeparator;
  out += c;
}

bool holds_for(const quota::LimitSpec& spec, std::string_view model, std::string_view canonical) {
  return std::any_of(spec.models.begin(), spec.models.end(), [&](const std::string& pattern) {
    return quota::glob_match(pattern, model) || quota::glob_match(pattern, canonical);
  });
}

// A configured limit replaces the catalog's of the same name.
void put(std::vector<quota::LimitSpec>& specs, const quota::LimitSpec& spec) {
  const auto same =
      std::find_if(specs.begin(), specs.end(), [&](const auto& s) { return s.name == spec.name; });
  if (same != specs.end()) {
    *same = spec;
  } else {
    specs.push_back(spec);
  }
}

}  // namespace

std::int32_t Project::local_day(WallTime at) {
  if (!today.contains(at)) {
    today = zone.interval(CalendarUnit::day, at);
    today_number = zone.local_day(at);
  }
  return today_number;
}

Directory::Directory(const Setup& setup, const catalog::Catalog& catalog, quota::Book& book,
                     ledger::Journal& ledger, Metrics& metrics)
    : setup_(setup), catalog_(catalog), book_(book), ledger_(ledger), metrics_(metrics) {
  add_projects();
}

void Directory::add_projects() {
  for (const ProjectSetup& project : setup_.projects) {
    const auto zone = Zone::find(project.time_zone);
    if (!zone) throw std::invalid_argument("unknown time zone " + project.time_zone);
    projects_.push_back(Project{.setup = &project, .zone = *zone, .limits = {}});
    metrics_.add_project(project.name);
    // Everything that is known in advance shows from the start, unused.
    Project& added = projects_.back();
    if (project.use_catalog) {
      for (const std::string& model : catalog_.models(project.provider, project.tier, project.as_of)) {
        for (quota::LimitSpec& spec : specs(added, model, nullptr, nullptr)) limit(added, std::move(spec));
      }
    }
    for (const quota::LimitSpec& spec : project.limits) limit(added, spec);
  }
}

Directory::Before Directory::start_over() {
  Before before{std::exchange(projects_, {}), std::exchange(lanes_, {}), std::exchange(pool_routes_, {}),
                std::exchange(retired_, {})};
  pool_routes_by_lanes_.clear();
  retired_by_key_.clear();
  routes_by_names_.clear();
  lanes_by_names_.clear();
  limits_by_name_.clear();
  owners_.clear();
  unlisted_consumers_.clear();
  unlisted_models_.clear();
  ++revision_;
  add_projects();
  return before;
}

Lane& Directory::retire(const Lane& before, WallTime now) {
  Lane*& known = retired_by_key_[{before.key.project, before.key.model, before.key.consumer}];
  if (known != nullptr) return *known;
  retired_.push_back(
      {*before.project->setup, {.setup = nullptr, .zone = before.project->zone, .limits = {}}, {}});
  Retired& retired = retired_.back();
  retired.project.setup = &retired.setup;
  Lane& lane = retired.lane;
  lane.route.lanes.push_back(&lane);
  lane.project = &retired.project;
  lane.key = before.key;
  lane.project_name = before.project_name;
  lane.model = before.model;
  lane.consumer = before.consumer;
  lane.canonical = before.canonical;
  lane.price_day = -1;
  price(lane, now, catalog_);
  resolve_metrics(lane);
  known = &lane;
  return lane;
}

Project* Directory::project(std::string_view name) {
  for (Project& project : projects_) {
    if (project.setup->name == name) return &project;
  }
  return nullptr;
}

bool Directory::is_pool(std::string_view name) const {
  return std::any_of(setup_.pools.begin(), setup_.pools.end(),
                     [&](const PoolSetup& pool) { return pool.name == name; });
}

const ConsumerSetup* Directory::consumer(std::string_view name) const {
  for (const ConsumerSetup& consumer : setup_.consumers) {
    if (consumer.name == name) return &consumer;
  }
  return nullptr;
}

const Route* Directory::route(std::string_view project, std::string_view model, std::string_view consumer,
                              WallTime now) {
  join(key_buffer_, project, model, consumer);
  if (const auto found = routes_by_names_.find(std::string_view(key_buffer_));
      found != routes_by_names_.end()) {
    return found->second;
  }
  const std::string key = key_buffer_;

  // Only a caller that makes up names fills it; the lanes behind have bounds of their own.
  if (routes_by_names_.size() >= kMaxRoutes) routes_by_names_.clear();
  const auto pool = std::find_if(setup_.pools.begin(), setup_.pools.end(),
                                 [&](const PoolSetup& candidate) { return candidate.name == project; });
  if (pool == setup_.pools.end()) {
    const Lane* only = lane(project, model, consumer, now);
    if (only == nullptr) return nullptr;
    return routes_by_names_.emplace(key, &only->route).first->second;
  }
  std::vector<std::string> models{std::string(model)};
  if (const auto others = pool->fallback.find(models.front()); others != pool->fallback.end()) {
    models.insert(models.end(), others->second.begin(), others->second.end());
  }
  std::vector<Lane*> lanes;
  for (const std::string& each : models) {
    for (const std::string& member : pool->projects) {
      if (Lane* candidate = lane(member, each, consumer, now)) lanes.push_back(candidate);
    }
  }
  if (lanes.empty()) return nullptr;
  const auto [known, fresh] = pool_routes_by_lanes_.try_emplace({pool->name, lanes}, nullptr);
  if (fresh) known->second = &pool_routes_.emplace_back(Route{lanes, pool->name});
  return routes_by_names_.emplace(key, known->second).first->second;
}

Lane* Directory::lane(std::string_view project_name, std::string_view asked_model,
                      std::string_view asked_consumer, WallTime now) {
  Project* owner = project(project_name);
  if (owner == nullptr) return nullptr;
  const std::string model = bounded_model(*owner, asked_model);
  const std::string consumer_name = bounded_consumer(asked_consumer);
  std::string key;
  join(key, project_name, model, consumer_name);
  if (const auto found = lanes_by_names_.find(std::string_view(key)); found != lanes_by_names_.end())
    return found->second;

  const ConsumerSetup* who = consumer(consumer_name);
  if (lanes_.size() >= kMaxLanes && who == nullptr && consumer_name != kOther)
    return lane(project_name, model, kOther, now);
  Lane& lane = lanes_.emplace_back();
  lane.route.lanes.push_back(&lane);
  lane.project = owner;
  lane.key = {ledger_.intern(project_name), ledger_.intern(model), ledger_.intern(consumer_name)};
  lane.project_name = project_name;
  lane.model = model;
  lane.consumer = consumer_name;
  if (who != nullptr) {
    lane.priority = who->priority;
    lane.weight = who->weight;
  }
  for (quota::LimitSpec& spec : specs(*owner, model, who, &lane)) {
    lane.limits.push_back(limit(*owner, std::move(spec)));
  }
  lane.price_day = -1;
  price(lane, now, catalog_);
  resolve_metrics(lane);
  return lanes_by_names_.emplace(std::move(key), &lane).first->second;
}

Lane* Directory::lane(const ledger::Key& key, WallTime now) {
  return lane(ledger_.name(key.project), ledger_.name(key.model), ledger_.name(key.consumer), now);
}

std::string Directory::bounded_consumer(std::string_view name) {
  if (consumer(name) != nullptr || name == "default" || unlisted_consumers_.contains(name))
    return std::string(name);
  if (unlisted_consumers_.size() >= kMaxUnlistedConsumers) return std::string(kOther);
  unlisted_consumers_.emplace(name);
  return std::string(name);
}

std::string Directory::bounded_model(Project& owner, std::string_view model) {
  std::string key;
  join(key, owner.setup->name, model);
  if (unlisted_models_.contains(key)) return std::string(model);
  const bool listed =
      owner.setup->use_catalog &&
      catalog_.limits(owner.setup->provider, owner.setup->tier, owner.setup->as_of, model).known;
  // Listed names are bounded by the tables, but patterns there may match without end: all count.
  const std::size_t cap = listed ? 2 * kMaxUnlistedModels : kMaxUnlistedModels;
  if (unlisted_models_.size() >= cap * projects_.size()) return std::string(kOther);
  unlisted_models_.insert(std::move(key));
  return std::string(model);
}

std::vector<quota::LimitSpec> Directory::specs(const Project& owner, std::string_view model,
                                               const ConsumerSetup* who, Lane* lane) const {
  const ProjectSetup& project = *owner.setup;
  std::vector<quota::LimitSpec> specs;
  std::string canonical(model);
  if (project.use_catalog) {
    const auto of = [&](std::string_view name) {
      return catalog_.limits(project.provider, project.tier, project.as_of, name);
    };
    catalog::ModelLimits published = of(model);
    if (const auto other = owner.upstream_names.find(model); other != owner.upstream_names.end()) {
      if (catalog::ModelLimits there = of(other->second); there.known) published = std::move(there);
    }
    canonical = published.model;
    specs = std::move(published.limits);
    for (quota::LimitSpec& spec : specs)
      spec.assumed = !published.known && spec.models.size() == 1 && spec.models.front() == published.model;
    if (lane != nullptr) lane->model_known = published.known;
  }
  if (lane != nullptr) lane->canonical = canonical;
  for (const quota::LimitSpec& spec : project.limits) {
    if (holds_for(spec, model, canonical)) put(specs, spec);
  }
  if (who != nullptr) add_consumers(*who, project, model, canonical, specs);
  for (const quota::LimitSpec& spec : owner.learned) {
    if (holds_for(spec, model, canonical)) put(specs, spec);
  }
  return specs;
}

void Directory::add_consumers(const ConsumerSetup& who, const ProjectSetup& project, std::string_view model,
                              std::string_view canonical, std::vector<quota::LimitSpec>& specs) {
  if (who.max_share < 1) {
    const std::size_t shared = specs.size();
    for (std::size_t i = 0; i < shared; ++i) {
      quota::LimitSpec share = specs[i];
      share.name = fmt::format("{}@{}/share", specs[i].name, who.name);
      share.consumer = who.name;
      share.source = quota::Source::config;
      share.published.clear();
      // At least one, so that a small limit does not shut its consumer out for ever; 0 stays 0.
      share.amount = std::min(
          specs[i].amount,
          std::max<std::int64_t>(1, static_cast<std::int64_t>(
                                        std::floor(static_cast<double>(specs[i].amount) * who.max_share))));
      specs.push_back(std::move(share));
    }
  }
  for (quota::LimitSpec spec : who.limits) {
    if (!holds_for(spec, model, canonical)) continue;
    if (spec.time_zone.empty()) spec.time_zone = project.time_zone;
    put(specs, spec);
  }
}

quota::LimitId Directory::limit(Project& owner, quota::LimitSpec spec) {
  std::string key;
  join(key, owner.setup->name, spec.name);
  if (const auto found = limits_by_name_.find(std::string_view(key)); found != limits_by_name_.end())
    return found->second;
  metrics_.add_limit(owner.setup->name, spec);
  const quota::LimitId id = book_.add(std::move(spec), owner.setup->guard);
  owner.limits.push_back(id);
  owners_.push_back(&owner);
  limits_by_name_.emplace(std::move(key), id);
  return id;
}

std::optional<quota::LimitId> Directory::limit(std::string_view project, std::string_view name) const {
  std::string key;
  join(key, project, name);
  const auto found = limits_by_name_.find(std::string_view(key));
  return found == limits_by_name_.end() ? std::nullopt : std::optional(found->second);
}

void Directory::resolve_metrics(Lane& lane) {
  std::vector<std::string> limit_names;
  for (const quota::LimitId id : lane.limits) limit_names.push_back(book_.spec(id).name);
  lane.metrics = metrics_.lane(lane.project_name, lane.model, lane.consumer, limit_names);
}

quota::LimitId Directory::add_limit(Project& owner, quota::LimitSpec spec, const HoldOpen& hold_open) {
  std::string key;
  join(key, owner.setup->name, spec.name);
  if (const auto found = limits_by_name_.find(std::string_view(key)); found != limits_by_name_.end())
    return found->second;
  if (!spec.gate && spec.window.kind != quota::WindowKind::sliding) spec.time_zone = owner.setup->time_zone;
  const quota::LimitId id = limit(owner, spec);
  ++revision_;
  if (owner.learned.size() >= kMaxLearned) return id;
  owner.learned.push_back(std::move(spec));
  const quota::LimitSpec& learned = owner.learned.back();
  for (Lane& lane : lanes_) {
    if (lane.project != &owner || !holds_for(learned, lane.model, lane.canonical)) continue;
    lane.limits.push_back(id);
    resolve_metrics(lane);
    hold_open(lane, id, 1);
  }
  return id;
}

void Directory::rename(Project& owner, std::string_view model, std::string_view upstream_name, const Now& now,
                       const HoldOpen& hold_open) {
  if (owner.upstream_names.size() >= kMaxLearned && !owner.upstream_names.contains(model)) return;
  if (upstream_name.empty()) {
    owner.upstream_names.erase(std::string(model));
  } else {
    owner.upstream_names.insert_or_assign(std::string(model), std::string(upstream_name));
  }
  ++revision_;
  for (Lane& lane : lanes_) {
    if (lane.project == &owner && lane.model == model) resolve_again(lane, now, hold_open);
  }
}

void Directory::resolve_again(Lane& lane, const Now& now, const HoldOpen& hold_open) {
  const auto has = [](const std::vector<quota::LimitId>& limits, quota::LimitId id) {
    return std::find(limits.begin(), limits.end(), id) != limits.end();
  };
  std::vector<quota::LimitId> fresh;
  for (quota::LimitSpec& spec : specs(*lane.project, lane.model, consumer(lane.consumer), &lane)) {
    fresh.push_back(limit(*lane.project, std::move(spec)));
  }
  const std::vector<quota::LimitId> old = std::exchange(lane.limits, fresh);
  std::vector<quota::LimitId> moved;
  for (const quota::LimitId from : old) {
    if (has(fresh, from)) continue;
    const quota::LimitSpec& was = book_.spec(from);
    const auto to = std::find_if(fresh.begin(), fresh.end(), [&](quota::LimitId id) {
      const quota::LimitSpec& is = book_.spec(id);
      return !has(old, id) && is.metric == was.metric && is.window == was.window &&
             is.time_zone == was.time_zone && is.consumer == was.consumer;
    });
    // What other models count there too cannot be told apart: then only the open calls move.
    const bool shared = std::any_of(lanes_.begin(), lanes_.end(), [&](const Lane& other) {
      return other.model != lane.model && has(other.limits, from);
    });
    if (to != fresh.end() && !shared) {
      book_.move(from, *to, now);
      moved.push_back(*to);
    } else {
      hold_open(lane, from, -1);
    }
  }
  for (const quota::LimitId to : fresh) {
    if (!has(old, to) && !has(moved, to)) hold_open(lane, to, 1);
  }
  resolve_metrics(lane);
}

const catalog::Price& Directory::price(Lane& lane, WallTime at, const catalog::Catalog& catalog) {
  const std::int64_t day = at.time_since_epoch().count() / kMicrosPerDay;
  if (day != lane.price_day) {
    lane.price_day = day;
    lane.price = catalog.price(lane.project->setup->provider, lane.model, to_rfc3339(at).substr(0, 10));
  }
  return lane.price;
}

}  // namespace weir::admission
