#include "daemon/serve.hpp"

#include <csignal>
#include <filesystem>

#include <malloc.h>
#include <sys/stat.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "admission/history.hpp"
#include "admission/service.hpp"
#include "api/api.hpp"
#include "api/page.hpp"
#include "api/report_pool.hpp"
#include "daemon/clock.hpp"
#include "daemon/descriptors.hpp"
#include "daemon/listen_address.hpp"
#include "daemon/reload.hpp"
#include "daemon/service_manager.hpp"
#include "daemon/service_setup.hpp"
#include "daemon/version.hpp"
#include "http/server.hpp"
#include "ledger/ledger.hpp"
#include "ledger/reader.hpp"
#include "telemetry/log.hpp"
#include "telemetry/metrics.hpp"
#include "telemetry/process.hpp"

#include "proxy/proxy.hpp"

namespace weir::daemon {
namespace {

namespace asio = boost::asio;

// For answers under way when the daemon is told to stop.
constexpr std::chrono::seconds kPatience{10};
// Leases end, denials are written and the line is looked at this often when nothing else happens.
constexpr std::chrono::seconds kTick{1};

// Past days are read anew this often; first not on the way to being ready, but soon after.
constexpr std::chrono::hours kHistory{1};
constexpr std::chrono::seconds kFirstHistory{2};

proxy::Setup proxy_setup(const Config& config) {
  const auto milliseconds = [](double value_s) {
    return std::chrono::milliseconds(static_cast<std::int64_t>(value_s * 1e3));
  };
  proxy::Setup setup;
  for (const ProjectConfig& project : config.projects) {
    setup.projects.push_back(
        {.name = project.name,
         .provider = project.provider,
         .base_url = project.base_url,
         .api_key = project.api_key.reveal(),
         .ca_file = project.ca_file,
         .needs_key = project.base_url == catalog::Catalog::embedded().base_url(project.provider),
         .via = project.via});
  }
  setup.wait = Micros(static_cast<std::int64_t>(config.proxy.wait_s * 1e6));
  setup.max_metered_body_bytes = config.proxy.max_metered_body_bytes;
  setup.max_held_bytes = config.proxy.max_held_bytes;
  setup.retries = config.proxy.retry;
  setup.client = {.connect_timeout = milliseconds(config.proxy.connect_timeout_s),
                  .first_byte_timeout = milliseconds(config.proxy.first_byte_timeout_s),
                  .idle_timeout = milliseconds(config.proxy.idle_timeout_s),
                  .keep_alive = milliseconds(config.proxy.keep_alive_s),
                  .max_idle = config.proxy.max_idle_connections};
  return setup;
}

http::ServerOptions server_options(const Config& whole, std::vector<std::pair<int, std::string>> given = {}) {
  const ServerConfig& config = whole.server;
  http::ServerOptions options;
  options.given = std::move(given);
  options.listen = config.listen;
  options.allowed_hosts = config.allowed_hosts;
  options.bearer_token = config.bearer_token.reveal();
  for (const ConsumerConfig& consumer : whole.consumers) {
    if (!consumer.token.empty())
      options.consumers.push_back({consumer.name, consumer.token.reveal(), consumer.requests_per_s});
  }
  options.public_paths = api::page_paths();
  options.max_connections = config.max_connections;
  options.max_header_bytes = config.max_header_bytes;
  options.max_body_bytes = config.max_body_bytes;
  return options;
}

// The configuration's own rule, for addresses that are not its own. Throws if it is broken.
void require_token(std::string_view whose, const std::string& address, const ServerConfig& config) {
  if (!config.bearer_token.empty() || parse_listen(address).local()) return;
  throw std::runtime_error(
      fmt::format("{} {} can be reached from other machines: set token_file in [server] to the name of a "
                  "file with a bearer token",
                  whose, address));
}

// Sockets of the service manager are served beside those of the configuration.
std::vector<std::pair<int, std::string>> accepted(const std::vector<GivenSocket>& sockets,
                                                  const ServerConfig& config) {
  std::vector<std::pair<int, std::string>> given;
  for (const GivenSocket& socket : sockets) {
    require_token("the service manager's socket", socket.address, config);
    given.emplace_back(socket.descriptor, socket.address);
  }
  return given;
}

// Signals reach the loop's thread while the loop runs, and no other thread ever. What comes later is held
// back while the process ends, in order and with the status that it means to. `how`: SIG_BLOCK or
// SIG_UNBLOCK.
void mask_signals(int how) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  ::pthread_sigmask(how, &signals, nullptr);
}

// The daemon while it runs: the parts, wired. Everything happens on the thread that runs loop_.
class Daemon {
 public:
  explicit Daemon(const Config& config)
      : ledger_(config.ledger, [this](std::function<void()> work) { asio::post(loop_, std::move(work)); }),
        reader_(std::make_unique<ledger::Reader>(config.ledger.path)),
        clock_(reader_->anchor(), reader_->last_id()),
        service_(service_setup(config), catalog::Catalog::embedded(), ledger_, metrics_),
        reports_(loop_, config.ledger.path),
        api_({.loop = loop_,
              .service = service_,
              .ledger = ledger_,
              .reports = reports_,
              .metrics = metrics_,
              .now = [this] { return clock_.now(); },
              .process_metrics = telemetry::append_process_metrics,
              .reload = [this](Reloader::Done done) { reload(std::move(done)); }}),
        proxy_({.loop = loop_,
                .service = service_,
                .ledger = ledger_,
                .metrics = metrics_,
                .now = [this] { return clock_.now(); }},
               proxy_setup(config)),
        server_(loop_, server_options(config, accepted(given_sockets(), config.server)),
                [this](http::Exchange& exchange) { api_.handle(exchange); },
                {.prefix = std::string(proxy::kPrefix),
                 .handler = [this](http::Exchange& exchange) { proxy_.handle(exchange); }}),
        reloader_({.ledger = ledger_,
                   .service = service_,
                   .reports = reports_,
                   .now = [this] { return clock_.now(); },
                   .apply = [this](const Config& next) { apply(next); },
                   .begun = [this] { manager_.reloading(); },
                   .ended = [this](const api::ReloadResult& result) { reloaded(result); }},
                  config),
        reload_metrics_(metrics_),
        signals_(loop_, SIGTERM, SIGINT, SIGHUP),
        ticker_(loop_),
        event_timer_(loop_),
        watchdog_timer_(loop_) {
    metrics_
        .add({.name = "weir_build_info",
              .help = "The program that runs; always 1.",
              .type = telemetry::Type::gauge,
              .labels = {"version", "revision"},
              .buckets = {},
              .bounded_labels = {}})
        .gauge({std::string(kVersion), std::string(kCommit)})
        .set(1);
    reload_metrics_.count(true, clock_.now().wall);
    service_.on_line_changed([this] { wake_for_event(); });
    ledger_.on_notice([](const std::string& text) { spdlog::warn("{}", text); });
    ledger_.store_anchor(clock_.anchor());
    service_.recover(*reader_, clock_.now());
    history_due_ = clock_.now().steady + kFirstHistory;
    reader_.reset();
  }

  // Returns when the daemon was told to stop and has.
  void run() {
    server_.listen();
    for (const std::string& address : server_.addresses()) {
      const bool unix_socket = address.rfind("unix:", 0) == 0;
      spdlog::info("listening on {}{}", unix_socket ? "" : "http://", address);
    }
    wait_for_signal();
    tick();
    manager_.ready(status());
    stay_alive();
    mask_signals(SIG_UNBLOCK);
    loop_.run();
    mask_signals(SIG_BLOCK);
  }

 private:
  [[nodiscard]] std::string status() const {
    std::string text = "Serving on";
    for (const std::string& address : server_.addresses()) text += " " + address;
    return text;
  }

  // From the loop: one that hangs is not alive.
  void stay_alive() {
    if (!manager_.watchdog()) return;
    manager_.alive();
    watchdog_timer_.expires_after(*manager_.watchdog() / 3);
    watchdog_timer_.async_wait([this](const boost::system::error_code& error) {
      if (!error) stay_alive();
    });
  }

  void tick() {
    const Now now = clock_.now();
    service_.tick(now);
    api_.tick();
    wake_for_event();
    if (now.steady >= history_due_) read_history(now);
    ticker_.expires_after(kTick);
    ticker_.async_wait([this](const boost::system::error_code& error) {
      if (!error) tick();
    });
  }

  void read_history(const Now& now) {
    history_due_ = now.steady + kHistory;
    const auto failed = [](const std::string& why) {
      spdlog::warn("forecasts do without past days for an hour: {}", why);
    };
    const auto question = admission::ask_history(service_.directory(), service_.book(), now);
    const auto read = [this, question, reloads = reloads_](ledger::Reader& reader) -> api::ReportPool::Then {
      return [this, reloads, habits = admission::read_history(reader, question)] {
        if (reloads == reloads_) service_.forecasts().learn(habits);  // else of limits that are gone
      };
    };
    if (!reports_.run(read, failed)) failed("too many reports are under way");
  }

  // Somebody waits, or leases are left to end: look again then, if that is before the next tick.
  void wake_for_event() {
    const auto next = service_.next_event();
    if (!next) return;
    const auto in = std::max(Micros(1000), *next - clock_.now().steady);
    if (in >= kTick) return;  // the tick comes first, and asks again
    event_timer_.expires_after(in);
    event_timer_.async_wait([this](const boost::system::error_code& error) {
      if (error) return;
      service_.tick(clock_.now());
      wake_for_event();
    });
  }

  void wait_for_signal() {
    signals_.async_wait([this](const boost::system::error_code& error, int signal) {
      if (error) return;
      if (signal == SIGHUP) {
        if (stopping_) return wait_for_signal();
        spdlog::info("SIGHUP: reading the configuration again");
        reload([](const api::ReloadResult&) {});
      } else if (!stopping_) {
        stop(signal == SIGTERM ? "SIGTERM" : "SIGINT");
      } else {
        spdlog::warn("told to stop again: stopping at once");
        loop_.stop();
      }
      wait_for_signal();
    });
  }

  void apply(const Config& next) {
    // What is listened on stays, whatever the new file says of that.
    for (const std::string& address : server_.addresses())
      require_token("the address that is listened on,", address, next.server);
    proxy_.reload(proxy_setup(next));
    if (server_.reconfigure(server_options(next))) api_.tokens_changed();
    raise_descriptor_limit(next.server.max_connections);
  }

  void reload(Reloader::Done done) {
    if (!stopping_) return reloader_.reload(std::move(done));
    api::ReloadResult late;
    late.kind = api::ReloadResult::Kind::later;
    late.errors = {"the daemon is stopping"};
    done(late);
  }

  void reloaded(const api::ReloadResult& result) {
    reload_metrics_.count(result.kind == api::ReloadResult::Kind::done, clock_.now().wall);
    log_reload(result);
    const bool good = result.kind == api::ReloadResult::Kind::done;
    if (good) {
      ++reloads_;
      api_.reconfigured();
      history_due_ = {};
    }
    if (!stopping_) manager_.ready(status() + (good ? "" : "; the last reload failed, see the log"));
  }

  void stop(std::string_view why) {
    stopping_ = true;
    manager_.stopping();
    spdlog::info("{}: finishing what was accepted, then stopping", why);
    api_.stopping();
    service_.dismiss_waiting(clock_.now());
    proxy_.begin_stop();
    ledger_.flush();
    server_.stop(kPatience, [this] {
      service_.tick(clock_.now());
      ledger_.drain([this] {
        const std::size_t lost = ledger_.health().backlog;
        if (lost > 0) spdlog::error("{} records could not be written: {}", lost, ledger_.health().last_error);
        loop_.stop();
      });
    });
  }

  const ServiceManager manager_ = ServiceManager::of_process();
  asio::io_context loop_{1};
  telemetry::Registry metrics_;
  ledger::Ledger ledger_;
  std::unique_ptr<ledger::Reader> reader_;  // while starting
  Clock clock_;
  admission::Service service_;
  api::ReportPool reports_;
  api::Api api_;
  proxy::Proxy proxy_;
  http::Server server_;
  Reloader reloader_;
  ReloadMetrics reload_metrics_;
  asio::signal_set signals_;
  asio::steady_timer ticker_;
  asio::steady_timer event_timer_;
  asio::steady_timer watchdog_timer_;
  SteadyTime history_due_{};
  std::uint64_t reloads_ = 0;
  bool stopping_ = false;
};

}  // namespace

int serve(const Config& config) {
  telemetry::set_up_log("info");
  std::signal(SIGPIPE, SIG_IGN);
  mask_signals(SIG_BLOCK);  // before any thread starts: they inherit it
  // One heap for the loop and one for the few other threads: records pass between them, and each heap keeps
  // what it once had.
  ::mallopt(M_ARENA_MAX, 2);
  ::umask(0077);
  try {
    std::filesystem::create_directories(std::filesystem::path(config.ledger.path).parent_path());
    for (const ConfigError& warning : config.warnings) spdlog::warn("{}", to_string(warning));
    raise_descriptor_limit(config.server.max_connections);
    Daemon daemon(config);
    for (const ProjectConfig& project : config.projects) {
      if (project.via)
        spdlog::info("project {}: upstream by way of the HTTP proxy {}", project.name,
                     project.via->authority());
    }
    spdlog::info("ledger {}, {}", config.ledger.path,
                 config.file.empty() ? std::string("embedded defaults") : "configuration " + config.file);
    daemon.run();
  } catch (const std::exception& error) {
    spdlog::critical("{}", error.what());
    return 1;
  }
  spdlog::info("stopped");
  return 0;
}

}  // namespace weir::daemon
