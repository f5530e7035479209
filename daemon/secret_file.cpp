#include "daemon/secret_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/bounded_file.hpp"

namespace weir::daemon {
namespace {

constexpr std::size_t kLongest = 8192;

}  // namespace

SecretFile read_secret(const std::string& path) {
  SecretFile secret;
  // O_NONBLOCK: a FIFO by that name must not hang the start.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    secret.problem = std::strerror(errno);
    return secret;
  }
  struct stat info {};
  if (::fstat(fd, &info) == 0) secret.mode = info.st_mode & 07777U;
  std::string text = read_at_most(fd, kLongest, secret.problem);
  ::close(fd);
  if (!secret.problem.empty()) return secret;

  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  text.erase(std::find_if_not(text.rbegin(), text.rend(), blank).base(), text.end());
  text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), blank));
  if (text.empty()) {
    secret.problem = "it is empty";
  } else if (text.size() > kLongest) {
    secret.problem = "it is longer than 8192 bytes";
  } else if (std::any_of(text.begin(), text.end(), [](char c) { return c <= ' ' || c > '~'; })) {
    secret.problem = "it must hold one line of printable ASCII without blanks";
  } else {
    secret.text = std::move(text);
  }
  return secret;
}

}  // namespace weir::daemon
