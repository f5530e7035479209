// A view of GET /v1/quota that redraws itself: `weir top`, `weir status --watch`.
#pragma once

#include <chrono>
#include <functional>

#include <nlohmann/json.hpp>

#include "daemon/commands/command.hpp"
#include "daemon/text/frame.hpp"

namespace weir::daemon {

using Draw = std::function<Drawn(const Frame&)>;

constexpr auto kShortestInterval = std::chrono::milliseconds(500);

// Asks every `interval` and draws until the user leaves; the exit code. Throws what fetch() throws if the
// first request fails: only then is it known that there is anything to show.
int run_live(const Client& client, const ClientRequest& request, std::chrono::milliseconds interval,
             const Draw& draw, const Shell& shell);
// One frame, for `--once` and for what is no terminal.
Frame first_frame(nlohmann::json quota, const Shell& shell);

}  // namespace weir::daemon
