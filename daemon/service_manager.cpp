#include "daemon/service_manager.hpp"

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <stdexcept>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "http/listener.hpp"

namespace weir::daemon {
namespace {

constexpr int kFirstDescriptor = 3;  // SD_LISTEN_FDS_START

std::string_view variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string_view() : std::string_view(value);
}

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

int option(int descriptor, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return ::getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
}

std::string address_of(int descriptor) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  auto* address = reinterpret_cast<sockaddr*>(&storage);
  if (::getsockname(descriptor, address, &size) != 0) return {};
  if (storage.ss_family == AF_UNIX) {
    const auto& name = reinterpret_cast<const sockaddr_un&>(storage);
    const std::size_t length = size - offsetof(sockaddr_un, sun_path);
    if (length <= 1 || name.sun_path[0] == '\0') return {};
    return "unix:" + std::string(name.sun_path, ::strnlen(name.sun_path, length));
  }
  return http::internet_address(address, size);
}

}  // namespace

ServiceManager ServiceManager::of_process() {
  std::string socket(variable("NOTIFY_SOCKET"));
  if (!socket.empty() &&
      ((socket.front() != '/' && socket.front() != '@') || socket.size() >= sizeof(sockaddr_un::sun_path))) {
    spdlog::warn(
        "NOTIFY_SOCKET \"{}\" is neither a path nor an abstract name: the service manager is not told",
        socket);
    socket.clear();
  }
  std::optional<std::chrono::microseconds> watchdog;
  const auto pid = variable("WATCHDOG_PID");
  if (const auto period = number(variable("WATCHDOG_USEC")); period && *period > 0) {
    if (pid.empty() || number(pid) == ::getpid()) watchdog.emplace(*period);
  }
  return {std::move(socket), watchdog};
}

void ServiceManager::ready(std::string_view status) const {
  send(fmt::format("READY=1\nSTATUS={}", status));
}

void ServiceManager::reloading() const {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\nSTATUS=Reading the configuration again",
                   std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000));
}

void ServiceManager::stopping() const {
  send("STOPPING=1\nSTATUS=Finishing what was accepted");
}

void ServiceManager::alive() const {
  send("WATCHDOG=1");
}

void ServiceManager::send(const std::string& state) const {
  if (socket_.empty()) return;
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  socket_.copy(name.sun_path, sizeof name.sun_path - 1);
  if (name.sun_path[0] == '@') name.sun_path[0] = '\0';
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  const int descriptor = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (descriptor < 0) return;
  if (::sendto(descriptor, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&name),
               size) < 0) {
    spdlog::debug("the service manager does not listen: {}", std::strerror(errno));
  }
  ::close(descriptor);
}

std::vector<GivenSocket> given_sockets() {
  std::vector<GivenSocket> sockets;
  const auto count = number(variable("LISTEN_FDS"));
  if (!count || number(variable("LISTEN_PID")) != ::getpid()) return sockets;
  for (int descriptor = kFirstDescriptor; descriptor < kFirstDescriptor + *count; ++descriptor) {
    ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    GivenSocket given{descriptor, address_of(descriptor)};
    if (option(descriptor, SO_TYPE) != SOCK_STREAM || option(descriptor, SO_ACCEPTCONN) != 1 ||
        given.address.empty()) {
      throw std::runtime_error(
          fmt::format("descriptor {} from the service manager is not a listening stream socket with an "
                      "address: the socket unit needs ListenStream=, and Accept=no",
                      descriptor));
    }
    sockets.push_back(std::move(given));
  }
  return sockets;
}

}  // namespace weir::daemon
