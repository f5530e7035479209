#include "proxy/metrics.hpp"

namespace weir::proxy {
namespace {

telemetry::Histogram* histogram(telemetry::Registry& registry, const char* name, const char* help,
                                std::vector<double> buckets) {
  return &registry
              .add({.name = name,
                    .help = help,
                    .type = telemetry::Type::histogram,
                    .labels = {},
                    .buckets = std::move(buckets),
                    .bounded_labels = {}})
              .histogram({});
}

const std::vector<double> kAnswerSeconds = {0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800};

}  // namespace

Metrics::Metrics(telemetry::Registry& registry)
    : duration(histogram(registry, "weir_upstream_duration_seconds",
                         "Proxied calls: from the request's departure to the end of the answer.",
                         kAnswerSeconds)),
      first_byte(histogram(registry, "weir_time_to_first_byte_seconds",
                           "Proxied calls: from the request's departure to the head of the answer.",
                           kAnswerSeconds)),
      overhead(
          histogram(registry, "weir_proxy_overhead_seconds",
                    "Metered proxied calls: from the whole request's arrival to its departure, without "
                    "the wait for room; the ledger's commit and connecting are in it.",
                    {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5})) {
  auto& retries = registry.add(
      {.name = "weir_proxy_retries_total",
       .help = "Proxied calls that were tried again on the caller's behalf, by what upstream had answered.",
       .type = telemetry::Type::counter,
       .labels = {"code"},
       .buckets = {},
       .bounded_labels = {}});
  retries_429_ = &retries.counter({"429"});
  retries_503_ = &retries.counter({"503"});
}

}  // namespace weir::proxy
