// Who may call what, resolved once: from the names in a request to the counters that hold for it.
//
// A *lane* is one (project, model, consumer): its limits, its price, its metrics. A *route* is what a caller
// named: the lanes to try in order (one for a project; for a pool, its projects, then the fallback models).
// On the way of an admission there is one hash look-up, for the route. Owned by the service; loop thread
// only; lanes live as long as the directory.
//
// Bounded: models that no table lists, and consumers that no configuration names, are told apart up to a cap
// each; past it they are "other" and share that name's limits.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "admission/metrics.hpp"
#include "admission/setup.hpp"
#include "catalog/catalog.hpp"
#include "ledger/journal.hpp"
#include "quota/book.hpp"
#include "time/zone.hpp"

namespace weir::admission {

struct Project {
  const ProjectSetup* setup = nullptr;
  Zone zone;
  std::vector<quota::LimitId> limits;       // all that exist so far
  std::vector<quota::LimitSpec> learned{};  // from upstream, beside what is published and configured
  std::map<std::string, std::string, std::less<>> upstream_names{};  // of models that it calls otherwise
  WallInterval today{};                                              // cache of zone.interval(day)
  std::int32_t today_number = 0;

  std::int32_t local_day(WallTime at);
};

struct Lane;

struct Route {
  std::vector<Lane*> lanes;  // in the order in which they are tried; never empty
  std::string pool{};        // by which the caller named them; "" = by the lane's project
};

struct Lane {
  Route route;  // to itself alone
  Project* project = nullptr;
  ledger::Key key;
  std::string project_name, model, consumer;
  std::string canonical;  // the model's name that counts
  std::vector<quota::LimitId> limits;
  bool model_known = true;  // false: the strictest limits of its tier were taken
  Priority priority = Priority::normal;
  double weight = 1;  // of its consumer
  catalog::Price price;
  std::int64_t price_day = 0;  // UTC day for which `price` was looked up
  LaneMetrics metrics;
  std::int64_t denied_untold = 0;  // denials not yet in the ledger's totals
};

// Of a project that was taken out of the configuration.
struct Retired {
  ProjectSetup setup;
  Project project;
  Lane lane;
};

class Directory {
 public:
  static constexpr std::size_t kMaxUnlistedModels = 1000;  // per project
  static constexpr std::size_t kMaxUnlistedConsumers = 1000;
  static constexpr std::size_t kMaxLanes =
      20'000;  // past it, unlisted consumers that are new to a model share the lane of "other"
  static constexpr std::size_t kMaxLearned = 200;    // limits, and names of models; per project
  static constexpr std::size_t kMaxRoutes = 50'000;  // names remembered; past it all are looked up anew

  Directory(const Setup& setup, const catalog::Catalog& catalog, quota::Book& book, ledger::Journal& ledger,
            Metrics& metrics);

  // nullptr if no project or pool has that name.
  const Route* route(std::string_view project, std::string_view model, std::string_view consumer,
                     WallTime now);
  // nullptr if no project has that name.
  Lane* lane(std::string_view project, std::string_view model, std::string_view consumer, WallTime now);
  // For ids read from the ledger; nullptr if the project is not configured any more.
  Lane* lane(const ledger::Key& key, WallTime now);

  // Called for each lane that gets a limit (sign 1) or loses one (-1): its open calls are to hold on it, or
  // not any more.
  using HoldOpen = std::function<void(Lane&, quota::LimitId, int sign)>;
  // Adds a limit that upstream told of to all lanes that it holds for, those to come too. The one of that
  // name if there is one. Past kMaxLearned a project learns no more of them: then it concerns nobody.
  quota::LimitId add_limit(Project& project, quota::LimitSpec spec, const HoldOpen& hold_open);
  // Upstream counts `model` under another name. If that one is listed, its limits hold from now on, and what
  // was counted for `model` alone counts there. Empty: under its own name again.
  void rename(Project& project, std::string_view model, std::string_view upstream_name, const Now& now,
              const HoldOpen& hold_open);

  // A new configuration: forgets all projects, limits, lanes and routes, and begins anew by what Setup says
  // now. What was is handed out: lanes of open and waiting calls are alive as long as it is.
  struct Before {
    std::deque<Project> projects;
    std::deque<Lane> lanes;
    std::deque<Route> pool_routes;
    std::deque<Retired> retired;
  };
  [[nodiscard]] Before start_over();
  // The lane of `before` for its open calls, when its project is not configured any more: they can be closed,
  // but count nowhere, and no name leads there.
  Lane& retire(const Lane& before, WallTime now);
  // Changes when a limit was learned or a model renamed: lanes that were resolved elsewhere may be outdated.
  [[nodiscard]] std::uint64_t revision() const { return revision_; }

  [[nodiscard]] std::deque<Project>& projects() { return projects_; }
  [[nodiscard]] std::deque<Lane>& lanes() { return lanes_; }
  [[nodiscard]] const std::deque<Lane>& lanes() const { return lanes_; }
  // nullopt if the project has none of that name (yet).
  [[nodiscard]] std::optional<quota::LimitId> limit(std::string_view project, std::string_view name) const;
  // The limits that a call of these names would have to keep to. Asking adds nothing: some may have no
  // counter yet.
  [[nodiscard]] std::vector<quota::LimitSpec> specs(const Project& project, std::string_view model,
                                                    std::string_view consumer_name) const {
    return specs(project, model, consumer(consumer_name), nullptr);
  }
  Project* project(std::string_view name);
  [[nodiscard]] bool is_pool(std::string_view name) const;
  // Of a limit: the project that it counts for.
  [[nodiscard]] const Project& owner(quota::LimitId id) const { return *owners_[id]; }

  // The price in force on the day of `at`.
  static const catalog::Price& price(Lane& lane, WallTime at, const catalog::Catalog& catalog);
  const catalog::Price& price(Lane& lane, WallTime at) { return price(lane, at, catalog_); }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  template <class Value>
  using ByText = boost::unordered_flat_map<std::string, Value, Hash, std::equal_to<>>;

  std::vector<quota::LimitSpec> specs(const Project& project, std::string_view model,
                                      const ConsumerSetup* consumer, Lane* lane) const;
  static void add_consumers(const ConsumerSetup& who, const ProjectSetup& project, std::string_view model,
                            std::string_view canonical, std::vector<quota::LimitSpec>& specs);
  void resolve_again(Lane& lane, const Now& now, const HoldOpen& hold_open);
  void resolve_metrics(Lane& lane);
  void add_projects();
  quota::LimitId limit(Project& project, quota::LimitSpec spec);
  const ConsumerSetup* consumer(std::string_view name) const;
  std::string bounded_consumer(std::string_view name);
  std::string bounded_model(Project& project, std::string_view model);

  const Setup& setup_;
  const catalog::Catalog& catalog_;
  quota::Book& book_;
  ledger::Journal& ledger_;
  Metrics& metrics_;
  std::deque<Project> projects_;
  std::deque<Lane> lanes_;
  std::deque<Route> pool_routes_;
  std::map<std::pair<std::string, std::vector<Lane*>>, const Route*> pool_routes_by_lanes_;
  std::deque<Retired> retired_;
  std::map<std::tuple<ledger::NameId, ledger::NameId, ledger::NameId>, Lane*> retired_by_key_;
  ByText<const Route*> routes_by_names_;
  ByText<Lane*> lanes_by_names_;
  ByText<quota::LimitId> limits_by_name_;  // "project\x1fname"
  std::vector<Project*> owners_;           // by LimitId
  std::set<std::string, std::less<>> unlisted_consumers_;
  std::set<std::string, std::less<>> unlisted_models_;  // "project\x1fmodel"
  std::string key_buffer_;
  std::uint64_t revision_ = 0;
};

}  // namespace weir::admission
