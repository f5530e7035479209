// A request to the daemon beside the thread that asks, which so waits no longer than it wants to.
//
// The thread behind it is on its own: whoever has waited long enough lets go of it, and it ends with its
// request's patience, or with the process.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "daemon/client.hpp"

namespace weir::daemon {

class BackgroundFetch {
 public:
  struct Result {
    nlohmann::json body;  // of a 200; else null, and
    std::string trouble;  // says why, in words
    int exit_code = 0;    // of a command that has to end so
  };

  BackgroundFetch(Client client, ClientRequest request);

  // Readable when the result is there.
  [[nodiscard]] int ready_fd() const;
  // nullopt: not there within `patience`. Once.
  std::optional<Result> wait(std::chrono::milliseconds patience);

 private:
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace weir::daemon
