#include "daemon/service_setup.hpp"

namespace weir::daemon {

admission::Setup service_setup(const Config& config) {
  admission::Setup setup;
  for (const ProjectConfig& project : config.projects) {
    setup.projects.push_back({.name = project.name,
                              .provider = project.provider,
                              .tier = project.tier,
                              .as_of = project.as_of,
                              .use_catalog = project.use_catalog,
                              .explore = project.explore,
                              .time_zone = project.time_zone,
                              .guard = project.guard,
                              .limits = project.limits});
  }
  for (const PoolConfig& pool : config.pools)
    setup.pools.push_back({pool.name, pool.projects, pool.fallback});
  for (const ConsumerConfig& consumer : config.consumers) {
    setup.consumers.push_back({.name = consumer.name,
                               .priority = static_cast<admission::Priority>(consumer.priority),
                               .weight = consumer.weight,
                               .max_share = consumer.max_share,
                               .limits = consumer.limits});
  }
  setup.max_wait = Micros(static_cast<std::int64_t>(config.queue.max_wait_s * 1e6));
  setup.max_waiting = config.queue.max_waiting;
  setup.max_open = config.queue.max_open;
  setup.estimate_quantile = config.estimates.quantile;
  return setup;
}

}  // namespace weir::daemon
