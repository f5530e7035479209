// How many files and sockets the process may have open.
#pragma once

#include <cstddef>

namespace weir::daemon {

// Programs are started with a soft limit of 1024 (RLIMIT_NOFILE), which is less than max_connections. Raises
// it to what these, as many connections to upstreams, and the ledger need; says so in the log if the hard
// limit is lower.
void raise_descriptor_limit(std::size_t max_connections);

}  // namespace weir::daemon
