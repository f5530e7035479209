// A simulation whose decisions are kept as text: "0 a admitted", "60.3 b denied m/requests/60s".
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "time/rfc3339.hpp"

#include "simulation/engine.hpp"

namespace weir::simulation {

inline quota::LimitSpec limit(std::string model, Metric metric, std::string_view window,
                              std::int64_t amount) {
  quota::LimitSpec spec;
  spec.models = {std::move(model)};
  spec.metric = metric;
  spec.window = *quota::parse_window(window);
  spec.amount = amount;
  spec.name = quota::limit_name(spec.models, metric, spec.window);
  if (window == "day" || window == "month") spec.time_zone = "America/Los_Angeles";
  return spec;
}

inline admission::ProjectSetup project(std::string name, std::vector<quota::LimitSpec> limits) {
  return {.name = std::move(name),
          .provider = "gemini",
          .tier = "free",
          .as_of = "",
          .use_catalog = false,
          .time_zone = "America/Los_Angeles",
          .limits = std::move(limits)};
}

inline admission::Setup one_project(std::vector<quota::LimitSpec> limits) {
  return {.projects = {project("default", std::move(limits))}, .pools = {}, .consumers = {}};
}

inline Micros s(double seconds) {
  return Micros(static_cast<std::int64_t>(seconds * 1e6));
}

struct World {
  explicit World(const admission::Setup& setup, std::string_view start = "2027-02-01T08:00:00Z",
                 std::optional<UpstreamOptions> upstream = {})
      : engine(setup, catalog::Catalog::embedded(), *parse_rfc3339(start), upstream,
               [this](const Decided& decided) { told(decided); }) {}

  // A call that is answered after `latency`.
  bool call(double at, std::string id, double wait = 0, double latency = 1, std::int64_t tokens = 0,
            std::string model = "m", std::string project = "default") {
    Arrival arrival;
    arrival.at = s(at);
    arrival.id = id;
    arrival.project = project;
    arrival.model = model;
    arrival.input_tokens = tokens;
    arrival.latency = s(latency);
    arrival.wait = s(wait);
    return engine.arrive(arrival);
  }
  void told(const Decided& decided) {
    std::string line =
        fmt::format("{:g} {} {}", seconds(decided.decided_at), decided.id, to_string(decided.decision));
    if (decided.limit) line += " " + engine.service().book().spec(*decided.limit).name;
    if (decided.call != nullptr)
      models.push_back(decided.call->lane->project_name + "/" + decided.call->lane->model);
    log.push_back(std::move(line));
  }

  std::vector<std::string> log;
  std::vector<std::string> models;  // "project/model" of each admitted call
  Engine engine;
};

using Log = std::vector<std::string>;

}  // namespace weir::simulation
