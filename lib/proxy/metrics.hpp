// The proxy's own metrics (section 7 of the contract). Loop thread.
#pragma once

#include "telemetry/metrics.hpp"

namespace weir::proxy {

struct Metrics {
  explicit Metrics(telemetry::Registry& registry);

  telemetry::Histogram* duration;    // from the request's departure to the answer's end
  telemetry::Histogram* first_byte;  // from the request's departure to the answer's head
  telemetry::Histogram* overhead;    // what we took before that, waiting for room left out
};

}  // namespace weir::proxy
