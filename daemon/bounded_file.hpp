// Files that people name, read with a bound.
#pragma once

#include <cstddef>
#include <string>

namespace weir::daemon {

// What `fd` has from here to its end, but at most `most` bytes and one: a longer text tells that there is
// more. `problem` says why if it cannot be read.
std::string read_at_most(int fd, std::size_t most, std::string& problem);

}  // namespace weir::daemon
