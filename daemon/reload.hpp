// Reads the configuration again while the daemon runs: all of it or nothing.
//
// The file and its secrets are read and checked on a report thread, the ledger is counted under it there
// (admission/recount.hpp), and one turn of the loop takes it over. Whatever goes wrong before that leaves the
// old configuration in force. One reload at a time: who asks meanwhile gets one more, after it.
//
// Owned by the daemon; loop thread only.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "admission/recount.hpp"
#include "api/reload_result.hpp"
#include "api/report_pool.hpp"
#include "daemon/config.hpp"
#include "ledger/ledger.hpp"
#include "telemetry/metrics.hpp"

namespace weir::daemon {

// One line, with the first of what changed, or of what is wrong.
void log_reload(const api::ReloadResult& result);

class ReloadMetrics {
 public:
  explicit ReloadMetrics(telemetry::Registry& registry);
  void count(bool successful, WallTime now);

 private:
  telemetry::Gauge& successful_;
  telemetry::Gauge& success_time_;
};

class Reloader {
 public:
  using Done = std::function<void(const api::ReloadResult&)>;

  struct Parts {
    ledger::Ledger& ledger;
    admission::Service& service;
    api::ReportPool& reports;
    std::function<Now()> now;
    // Takes over all but the service's part. Throws, before it has changed anything, if that cannot be.
    std::function<void(const Config&)> apply;
    // Told of every attempt at its begin, and at its end, before those who asked for it.
    std::function<void()> begun;
    Done ended;
  };

  // `config`: in force.
  Reloader(Parts parts, Config config) : parts_(std::move(parts)), config_(std::move(config)) {}

  // `done` is called once, from here or later.
  void reload(Done done);

 private:
  [[nodiscard]] bool under_way() const { return !asked_.empty(); }
  void begin();
  void read(ConfigResult result);
  void count();
  void counted(std::shared_ptr<admission::Recount> recount);
  void end(api::ReloadResult result);
  void fail(api::ReloadResult::Kind kind, std::vector<std::string> errors);
  void later(const std::string& why);

  Parts parts_;
  Config config_;
  Config next_;  // read, and not yet in force
  int counts_ = 0;
  std::vector<Done> asked_;  // of the reload under way
  std::vector<Done> next_asked_;
};

}  // namespace weir::daemon
