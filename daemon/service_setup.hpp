// The configuration in the words of the admission service. One place, so that `weir simulate` decides under
// the rules that `weir serve` would.
#pragma once

#include "admission/setup.hpp"
#include "daemon/config.hpp"

namespace weir::daemon {

admission::Setup service_setup(const Config& config);

}  // namespace weir::daemon
