// The HTTP API (docs/api.md): from requests to the service and the ledger's reports, and back.
//
// Who comes with a consumer's token (Request::consumer) sees and settles only what is that consumer's; of
// limits also those of its projects, which bind it too. Admissions of others do not exist for it, what is
// everybody's is a 403.
//
// Owned by the daemon; loop thread only. Answers that wrote a record leave when the ledger has it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>
#include <simdjson.h>

#include "admission/service.hpp"
#include "api/events.hpp"
#include "api/reload_result.hpp"
#include "api/report_pool.hpp"
#include "http/exchange.hpp"
#include "http/problem.hpp"
#include "ledger/ledger.hpp"
#include "telemetry/metrics.hpp"

namespace weir::api {

struct Parts {
  boost::asio::io_context& loop;
  admission::Service& service;
  ledger::Ledger& ledger;
  ReportPool& reports;
  telemetry::Registry& metrics;
  std::function<Now()> now;
  std::function<void(std::string&)> process_metrics;  // appends process_*; runs on a report thread
  // Reads the configuration again, and calls back once.
  std::function<void(std::function<void(const ReloadResult&)>)> reload;
};

class Api {
 public:
  explicit Api(Parts parts);

  void handle(http::Exchange& exchange);
  // From here on /readyz answers 503, so that nobody sends new work.
  // Streams of events end.
  void stopping();
  // A new configuration is in force.
  void reconfigured() { events_.limits_changed(); }
  // Other tokens hold now: who listens must show his again.
  void tokens_changed() { events_.end_streams(); }
  // Once a second.
  void tick() { events_.tick(parts_.now()); }

 private:
  using Exchange = http::Exchange;

  void admit(Exchange& exchange);
  bool repeat_by_key(Exchange& exchange, const admission::KeyHash& key, std::uint64_t body_hash);
  void answer(Exchange& exchange, const admission::Answer& answer, const Now& now,
              std::string_view asked_project);
  void settle(Exchange& exchange, std::string_view id);
  void answer_settled(Exchange& exchange, const admission::Settled& settled, std::string_view project,
                      std::string_view model, std::string_view consumer);
  void cancel(Exchange& exchange, std::string_view id);
  void answer_cancelled(Exchange& exchange, admission::SettleVerdict verdict);
  void record(Exchange& exchange);

  // Reads a call from the ledger, after everything that was appended before is committed; `found` runs on the
  // loop thread. At most one such look-up a call at a time: two late settlements must not both correct it.
  void look_up(Exchange& exchange, ledger::CallId id,
               std::function<void(Exchange&, const ledger::Call&)> found);

  void quota(Exchange& exchange);
  void usage(Exchange& exchange);
  void calls(Exchange& exchange);
  void observations(Exchange& exchange);
  void forget_observation(Exchange& exchange, std::string_view id);
  void metrics(Exchange& exchange);
  void ready(Exchange& exchange);
  void reload(Exchange& exchange);

  // On whose account a body that names `consumer` (or nobody: empty) is; nullopt: answered with a 403
  // already.
  std::optional<std::string_view> account(Exchange& exchange, std::string_view consumer);
  // nullopt: answered with a 400 already.
  std::optional<simdjson::dom::element> json(Exchange& exchange);
  void send_when_committed(Exchange& exchange);
  // Hands the ledger its batch when the requests that are ready now have been handled: they share one
  // transaction.
  void flush_soon();
  // Runs a report; a failure or a full pool is answered with 503.
  void report(Exchange& exchange,
              std::function<ReportPool::Then(ledger::Reader&, std::shared_ptr<Exchange>)> work);

  Parts parts_;
  Events events_;
  simdjson::dom::parser parser_;
  std::string body_;     // reused
  std::string headers_;  // reused
  std::set<ledger::CallId> looked_up_;
  bool flush_posted_ = false;
  bool stopping_ = false;
};

// The text of GET /openapi.json, OpenAPI 3.1.
std::string_view openapi();

}  // namespace weir::api
