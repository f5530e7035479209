// One picture of a view that redraws itself.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "time/instant.hpp"

namespace weir::daemon {

// What it shows, and how much room there is.
struct Frame {
  nlohmann::json quota;      // the last answer of GET /v1/quota
  WallTime now;              // by the daemon's clock: its as_of, and what went by since
  std::chrono::seconds age;  // of the answer
  std::string trouble;       // why there is no newer one; "": nothing is wrong
  std::size_t columns = 80, lines = 24;
  std::size_t first = 0;  // the first row to show
};

struct Drawn {
  std::vector<std::string> lines;  // no wider than columns, no more than lines
  std::size_t rows = 0;            // that there are
  std::size_t visible = 0;         // that fit
};

}  // namespace weir::daemon
