// The proxy's own metrics. Loop thread.
#pragma once

#include "telemetry/metrics.hpp"

namespace weir::proxy {

struct Metrics {
  explicit Metrics(telemetry::Registry& registry);

  telemetry::Histogram* duration;    // from the request's departure to the answer's end
  telemetry::Histogram* first_byte;  // from the request's departure to the answer's head
  telemetry::Histogram* overhead;    // what we took before that, waiting for room left out

  // Further attempts after an answer of that code: 429 or 503.
  telemetry::Counter& retries(int code) { return *(code == 429 ? retries_429_ : retries_503_); }

 private:
  telemetry::Counter *retries_429_, *retries_503_;
};

}  // namespace weir::proxy
