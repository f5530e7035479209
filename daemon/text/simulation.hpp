// `weir simulate`: decisions as NDJSON, totals as JSON and as text. Pure.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "daemon/text/table.hpp"

#include "simulation/engine.hpp"
#include "simulation/summary.hpp"

namespace weir::daemon {

// One line, with its end: {"id":"a","decision":"denied","at":1.5,"decided_at":1.5,"limit":"m/requests/day"}.
// `limit`: empty becomes null. Seconds with as many decimals as they have, at most six.
void append_decision(std::string& out, const simulation::Decided& decided, std::string_view limit);

nlohmann::ordered_json summary_json(const simulation::Summary& summary, simulation::Engine& engine);

// The same for people; `summary` as summary_json() gives it.
std::string render_summary(const nlohmann::ordered_json& summary, const Look& look);

}  // namespace weir::daemon
