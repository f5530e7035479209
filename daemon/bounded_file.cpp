#include "daemon/bounded_file.hpp"

#include <cerrno>
#include <cstring>

#include <unistd.h>

namespace weir::daemon {

std::string read_at_most(int fd, std::size_t most, std::string& problem) {
  std::string text(most + 1, '\0');
  std::size_t size = 0;
  while (size < text.size()) {
    const ssize_t got = ::read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      problem = std::strerror(errno);
      return {};
    }
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  text.resize(size);
  return text;
}

}  // namespace weir::daemon
