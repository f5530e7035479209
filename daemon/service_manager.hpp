// The daemon's side of its service manager: sd_notify(3), the watchdog, and sockets that it was given
// (sd_listen_fds(3)). Written out here, because libsystemd would be a library for ten lines.
//
// Without a service manager everything here does nothing.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::daemon {

class ServiceManager {
 public:
  // From $NOTIFY_SOCKET, $WATCHDOG_USEC and $WATCHDOG_PID. Logs what is wrong with them.
  static ServiceManager of_process();

  // `notify_socket`: an absolute path, or "@name" for the abstract namespace; "" = there is none.
  ServiceManager(std::string notify_socket, std::optional<std::chrono::microseconds> watchdog)
      : socket_(std::move(notify_socket)), watchdog_(watchdog) {}

  // `status`: a line for `systemctl status`.
  void ready(std::string_view status) const;
  void reloading() const;  // ready() ends it
  void stopping() const;
  void alive() const;

  // alive() is expected this often; nullopt: nobody waits for it.
  [[nodiscard]] std::optional<std::chrono::microseconds> watchdog() const { return watchdog_; }

 private:
  // Never waits, never fails aloud: a manager that does not listen is no reason to stop.
  void send(const std::string& state) const;

  std::string socket_;
  std::optional<std::chrono::microseconds> watchdog_;
};

// A listening stream socket that the process was started with.
struct GivenSocket {
  int descriptor = -1;
  std::string address;  // as a configuration writes it: "127.0.0.1:8411", "unix:/run/weir/weir.sock"
};

// Those of $LISTEN_FDS, if $LISTEN_PID is this process. Throws std::runtime_error for one that is none.
std::vector<GivenSocket> given_sockets();

}  // namespace weir::daemon
