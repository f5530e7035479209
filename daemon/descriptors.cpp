#include "daemon/descriptors.hpp"

#include <algorithm>

#include <sys/resource.h>

#include <spdlog/spdlog.h>

namespace weir::daemon {
namespace {

constexpr std::size_t kOthers = 128;  // the ledger, its readers, listeners, the loop's own

}  // namespace

void raise_descriptor_limit(std::size_t max_connections) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = 2 * max_connections + kOthers;
  if (limit.rlim_cur >= wanted) return;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = std::min<rlim_t>(wanted, limit.rlim_max);
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) limit.rlim_cur = before;
  if (limit.rlim_cur >= wanted) return;
  spdlog::warn(
      "at most {} files and sockets may be open, but {} connections (max_connections in [server]), and as "
      "many "
      "to upstreams, may need {}: raise the limit (LimitNOFILE= of the service, or ulimit -n)",
      limit.rlim_cur, max_connections, wanted);
}

}  // namespace weir::daemon
