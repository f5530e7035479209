#include "daemon/reload.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "daemon/config_changes.hpp"
#include "daemon/service_setup.hpp"
#include "ledger/reader.hpp"

namespace weir::daemon {
namespace {

using Kind = api::ReloadResult::Kind;
// Upstream's answers may teach a limit while the ledger is read; then it is read again.
constexpr int kCounts = 3;
constexpr std::size_t kLogged = 20;  // of changes and errors; the answer and `weir check-config` have all

std::string some_of(const std::vector<std::string>& texts) {
  std::string out;
  for (std::size_t i = 0; i < std::min(texts.size(), kLogged); ++i) {
    if (i > 0) out += "; ";
    out += texts[i];
  }
  if (texts.size() > kLogged) out += fmt::format("; and {} more", texts.size() - kLogged);
  return out;
}

telemetry::Gauge& gauge(telemetry::Registry& registry, const char* name, const char* help) {
  return registry
      .add({.name = name,
            .help = help,
            .type = telemetry::Type::gauge,
            .labels = {},
            .buckets = {},
            .bounded_labels = {}})
      .gauge({});
}

}  // namespace

void log_reload(const api::ReloadResult& result) {
  const std::string file = result.file.empty() ? "embedded defaults" : result.file;
  for (const std::string& warning : result.warnings) spdlog::warn("{}", warning);
  switch (result.kind) {
    case Kind::done:
      return spdlog::info("configuration {} read again: {}", file,
                          result.changes.empty() ? "nothing is otherwise" : some_of(result.changes));
    case Kind::bad:
    case Kind::later:
      return spdlog::error("configuration {} not read again, the one before still holds: {}", file,
                           some_of(result.errors));
  }
}

ReloadMetrics::ReloadMetrics(telemetry::Registry& registry)
    : successful_(gauge(registry, "weir_config_last_reload_successful",
                        "1 if the last reload of the configuration took effect.")),
      success_time_(gauge(registry, "weir_config_last_reload_success_timestamp_seconds",
                          "When a configuration last took effect.")) {}

void ReloadMetrics::count(bool successful, WallTime now) {
  successful_.set(successful ? 1 : 0);
  if (successful) success_time_.set(seconds(now.time_since_epoch()));
}

void Reloader::reload(Done done) {
  if (under_way()) {
    next_asked_.push_back(std::move(done));
    return;
  }
  asked_.push_back(std::move(done));
  begin();
}

void Reloader::begin() {
  counts_ = 0;
  parts_.begun();
  const bool queued =
      parts_.reports.run_without_ledger([this, file = config_.file]() -> api::ReportPool::Then {
        try {
          auto result = std::make_shared<ConfigResult>(
              file.empty() ? default_config(Environment::of_process(), catalog::Catalog::embedded())
                           : load_config(file, Environment::of_process(), catalog::Catalog::embedded()));
          return [this, result] { read(std::move(*result)); };
        } catch (const std::exception& error) {
          return [this, why = std::string(error.what())] { later(why); };
        }
      });
  if (!queued) later("too many reports are under way");
}

void Reloader::read(ConfigResult result) {
  if (const auto* errors = std::get_if<std::vector<ConfigError>>(&result)) {
    std::vector<std::string> texts;
    for (const ConfigError& error : *errors) texts.push_back(to_string(error));
    return fail(Kind::bad, std::move(texts));
  }
  next_ = std::move(std::get<Config>(result));
  // What [ledger] says now counts from the next start.
  std::vector<std::string> faults = longer_than_kept(next_, config_.ledger.retention_days);
  if (!faults.empty()) {
    faults.push_back("the retention_days in force are those of the last start: restart to change them");
    return fail(Kind::bad, std::move(faults));
  }
  count();
}

void Reloader::count() {
  ++counts_;
  parts_.ledger.cut([this] { parts_.service.begin_recount(); },
                    [this](bool good) {
                      if (!good) {
                        return later("the ledger cannot be written, so its calls cannot be counted anew: " +
                                     parts_.ledger.health().last_error);
                      }
                      std::shared_ptr<ledger::Reader> reader;
                      try {
                        reader = std::make_shared<ledger::Reader>(config_.ledger.path);
                        reader->pin();
                      } catch (const std::exception& error) {
                        return later(error.what());
                      }
                      const Now now = parts_.now();
                      const bool queued = parts_.reports.run_without_ledger(
                          [this, reader, now, setup = service_setup(next_)]() -> api::ReportPool::Then {
                            try {
                              auto recount = std::make_shared<admission::Recount>(
                                  setup, catalog::Catalog::embedded(), *reader, now);
                              return [this, recount] { counted(recount); };
                            } catch (const std::exception& error) {
                              return [this, why = std::string(error.what())] { later(why); };
                            }
                          });
                      if (!queued) later("too many reports are under way");
                    });
}

void Reloader::counted(std::shared_ptr<admission::Recount> recount) {
  if (!parts_.service.recount_holds()) {
    if (counts_ < kCounts) return count();
    return later("too much happened while the ledger was read; try again");
  }
  try {
    parts_.apply(next_);
  } catch (const std::exception& error) {
    return fail(Kind::bad, {error.what()});
  }
  parts_.service.reload(service_setup(next_), *recount, parts_.now());

  api::ReloadResult result;
  result.file = next_.file;
  result.changes = changes_between(config_, next_);
  for (const ConfigError& warning : next_.warnings) result.warnings.push_back(to_string(warning));
  for (std::string& change : changes_at_next_start(config_, next_))
    result.warnings.push_back(std::move(change));
  // Still in force, and compared with the next time too.
  next_.server.listen = config_.server.listen;
  next_.ledger = config_.ledger;
  config_ = std::exchange(next_, {});
  end(std::move(result));
}

void Reloader::fail(Kind kind, std::vector<std::string> errors) {
  parts_.service.drop_recount();
  end({.kind = kind, .file = config_.file, .changes = {}, .warnings = {}, .errors = std::move(errors)});
}

void Reloader::later(const std::string& why) {
  fail(Kind::later, {why});
}

void Reloader::end(api::ReloadResult result) {
  parts_.ended(result);
  const std::vector<Done> asked = std::exchange(asked_, std::exchange(next_asked_, {}));
  const bool more = under_way();  // who is told may ask again, which then begins at once
  for (const Done& done : asked) done(result);
  if (more) begin();
}

}  // namespace weir::daemon
