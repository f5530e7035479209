#include "admission/metrics.hpp"

#include <limits>

#include <fmt/format.h>

#include "admission/observation_kinds.hpp"

namespace weir::admission {
namespace {

using telemetry::Type;

std::vector<std::string> labels_of(const std::string& project, const quota::LimitSpec& spec) {
  return {project, spec.name, std::string(to_string(spec.metric)), to_string(spec.window)};
}

const std::vector<std::string> kCaller = {"model", "consumer"};  // labels whose values callers choose

}  // namespace

Metrics::Metrics(telemetry::Registry& registry)
    : calls_(registry.add(
          {.name = "weir_calls_total",
           .help = "Calls closed, by the upstream's HTTP status; expired ones have status \"expired\".",
           .labels = {"project", "model", "consumer", "status"},
           .buckets = {},
           .bounded_labels = kCaller})),
      tokens_(registry.add(
          {.name = "weir_tokens_total",
           .help = "Tokens used as upstream reported them. The types are disjoint: their sum is the total.",
           .labels = {"project", "model", "consumer", "type"},
           .buckets = {},
           .bounded_labels = kCaller})),
      cost_(registry.add({.name = "weir_cost_usd_total",
                          .help = "Estimated cost in US dollars, from published prices.",
                          .labels = {"project", "model", "consumer"},
                          .scale = 1e-9,
                          .buckets = {},
                          .bounded_labels = kCaller})),
      admissions_(
          registry.add({.name = "weir_admissions_total",
                        .help = "Decisions on admissions; limit: the one that denied for longest, if any.",
                        .labels = {"project", "model", "decision", "limit"},
                        .buckets = {},
                        .bounded_labels = {"model", "limit"}})),
      waits_(registry.add({.name = "weir_admission_wait_seconds",
                           .help = "How long admitted calls that had to wait did wait.",
                           .type = Type::histogram,
                           .labels = {},
                           .buckets = {0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60},
                           .bounded_labels = {}})),
      limit_amount_(registry.add({.name = "weir_quota_limit",
                                  .help = "What a limit allows in its window.",
                                  .type = Type::gauge,
                                  .labels = {"project", "limit", "metric", "window"},
                                  .buckets = {},
                                  .bounded_labels = {"limit"}})),
      limit_used_(registry.add({.name = "weir_quota_used",
                                .help = "What is certainly used of a limit now.",
                                .type = Type::gauge,
                                .labels = {"project", "limit", "metric", "window"},
                                .buckets = {},
                                .bounded_labels = {"limit"}})),
      limit_held_(registry.add({.name = "weir_quota_held",
                                .help = "What open calls hold of a limit now.",
                                .type = Type::gauge,
                                .labels = {"project", "limit", "metric", "window"},
                                .buckets = {},
                                .bounded_labels = {"limit"}})),
      limit_reset_(registry.add({.name = "weir_quota_reset_timestamp_seconds",
                                 .help = "When a calendar window ends, or the oldest charge leaves a sliding "
                                         "one; NaN when nothing is used.",
                                 .type = Type::gauge,
                                 .labels = {"project", "limit", "metric", "window"},
                                 .buckets = {},
                                 .bounded_labels = {"limit"}})),
      limit_exhaustion_(registry.add(
          {.name = "weir_quota_exhaustion_timestamp_seconds",
           .help =
               "When a limit will be used up before its reset, by forecast; absent when it lasts or is not "
               "known.",
           .type = Type::gauge,
           .labels = {"project", "limit", "metric", "window"},
           .buckets = {},
           .bounded_labels = {"limit"}})),
      upstream_(registry.add({.name = "weir_upstream_responses_total",
                              .help = "Answers of the upstream, as told by settlements, by HTTP status code.",
                              .labels = {"project", "model", "code"},
                              .buckets = {},
                              .bounded_labels = {"model"}})),
      over_admissions_(
          registry.add({.name = "weir_over_admissions_total",
                        .help = "Calls that the upstream refused although the limit seemed to have room.",
                        .labels = {"project", "limit"},
                        .buckets = {},
                        .bounded_labels = {"limit"}})),
      observations_(registry.add({.name = "weir_observations_total",
                                  .help = "Things learned from upstream answers.",
                                  .labels = {"project", "kind"},
                                  .buckets = {},
                                  .bounded_labels = {}})),
      estimate_errors_(registry.add(
          {.name = "weir_estimate_error_ratio",
           .help =
               "Input tokens that upstream counted, divided by those estimated and charged at first. Above "
               "1 the estimate was short.",
           .type = Type::histogram,
           .labels = {"project", "model"},
           .buckets = {0.1, 0.25, 0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 4},
           .bounded_labels = {"model"}})),
      waiting_(registry.add({.name = "weir_queue_waiting",
                             .help = "Calls that wait for room now.",
                             .type = Type::gauge,
                             .labels = {"project", "priority"},
                             .buckets = {},
                             .bounded_labels = {}})),
      commits_(registry.add(
          {.name = "weir_ledger_commit_seconds",
           .help = "Duration of the ledger's commits.",
           .type = Type::histogram,
           .labels = {},
           .buckets = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1},
           .bounded_labels = {}})),
      backlog_(registry.add({.name = "weir_ledger_backlog",
                             .help = "Records that are not yet committed.",
                             .type = Type::gauge,
                             .labels = {},
                             .buckets = {},
                             .bounded_labels = {}})),
      failures_(registry.add({.name = "weir_ledger_failures_total",
                              .help = "Commits that failed.",
                              .labels = {},
                              .buckets = {},
                              .bounded_labels = {}})),
      wait_(&waits_.histogram({})),
      commit_seconds_(&commits_.histogram({})) {
  backlog_.gauge({});
  failures_.counter({});
}

LaneMetrics Metrics::lane(const std::string& project, const std::string& model, const std::string& consumer,
                          const std::vector<std::string>& limit_names) {
  const auto decision = [&](const char* name, const std::string& limit) {
    return &admissions_.counter({project, model, name, limit});
  };
  const auto tokens = [&](const char* type) { return &tokens_.counter({project, model, consumer, type}); };
  LaneMetrics lane;
  lane.admitted = decision("admitted", "");
  lane.cancelled = decision("cancelled", "");
  lane.expired = decision("expired", "");
  for (const std::string& limit : limit_names) {
    lane.denied.push_back(decision("denied", limit));
    lane.timed_out.push_back(decision("timed_out", limit));
  }
  lane.denied.push_back(decision("denied", ""));
  lane.timed_out.push_back(decision("timed_out", ""));
  lane.input = tokens("input");
  lane.cached_input = tokens("cached_input");
  lane.output = tokens("output");
  lane.thoughts = tokens("thoughts");
  lane.tool_use = tokens("tool_use");
  lane.cost = &cost_.counter({project, model, consumer});
  lane.ok = &calls_.counter({project, model, consumer, "200"});
  lane.upstream_ok = &upstream_.counter({project, model, "200"});
  upstream_.counter({project, model, "429"});  // at 0, or its first increase would be invisible
  lane.estimate_error = &estimate_errors_.histogram({project, model});
  return lane;
}

void Metrics::add_project(const std::string& project) {
  for (const std::string_view kind : kObservationKinds) observations_.counter({project, std::string(kind)});
}

void Metrics::add_limit(const std::string& project, const quota::LimitSpec& spec) {
  if (spec.gate) {
    limits_.push_back({});
    return;
  }
  const std::vector<std::string> labels = labels_of(project, spec);
  limits_.push_back({&limit_amount_.gauge(labels), &limit_used_.gauge(labels), &limit_held_.gauge(labels),
                     &limit_reset_.gauge(labels)});
  over_admissions_.counter({project, spec.name});  // at 0, or its first increase would be invisible
}

void Metrics::forget_limits() {
  limits_.clear();
  for (telemetry::Family* family : {&limit_amount_, &limit_used_, &limit_held_, &limit_reset_, &waiting_})
    family->clear();
}

void Metrics::count_call(const LaneMetrics& lane, const std::string& project, const std::string& model,
                         const std::string& consumer, const ledger::Outcome& outcome) {
  if (outcome.status == 200) {
    lane.ok->add();
    lane.upstream_ok->add();
  } else if (outcome.state == ledger::State::expired) {
    calls_.counter({project, model, consumer, "expired"}).add();
  } else {
    const std::string code = fmt::format("{}", outcome.status);
    calls_.counter({project, model, consumer, code}).add();
    upstream_.counter({project, model, code}).add();
  }
  const Usage& usage = outcome.usage;
  lane.input->add(usage.input_tokens - usage.cached_input_tokens);
  lane.cached_input->add(usage.cached_input_tokens);
  lane.output->add(usage.output_tokens);
  lane.thoughts->add(usage.thoughts_tokens);
  lane.tool_use->add(usage.tool_use_tokens);
  lane.cost->add(outcome.cost);
}

void Metrics::set_waiting(const std::string& project, std::string_view priority, std::size_t count) {
  waiting_.gauge({project, std::string(priority)}).set(static_cast<double>(count));
}

void Metrics::set_limit(quota::LimitId id, const quota::LimitView& view, double unit) {
  const LimitGauges& gauges = limits_[id];
  if (gauges.amount == nullptr) return;  // a gate
  gauges.amount->set(static_cast<double>(view.amount) * unit);
  gauges.used->set(static_cast<double>(view.used) * unit);
  gauges.held->set(static_cast<double>(view.held) * unit);
  gauges.reset->set(view.resets_at ? seconds(view.resets_at->time_since_epoch())
                                   : std::numeric_limits<double>::quiet_NaN());
}

void Metrics::set_exhaustion(const std::string& project, const quota::LimitSpec& spec, WallTime at) {
  limit_exhaustion_.gauge(labels_of(project, spec)).set(seconds(at.time_since_epoch()));
}

void Metrics::set_ledger(const ledger::Health& health) {
  backlog_.gauge({}).set(static_cast<double>(health.backlog));
  telemetry::Counter& failures = failures_.counter({});
  failures.add(static_cast<std::int64_t>(health.failures) - failures.value());
}

}  // namespace weir::admission
