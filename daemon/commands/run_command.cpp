#include "daemon/commands/run_command.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weir::daemon {
namespace {

int exit_code_of(int status) {
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

CommandResult not_started(const std::vector<std::string>& command, int error) {
  CommandResult result;
  result.started = false;
  result.exit_code = error == ENOENT ? 127 : 126;
  result.problem = command[0] + ": " + std::strerror(error);
  return result;
}

// Holds signals back while it lives, and hands those that ask to end on to the command. They are waited for,
// not caught: no handler, nothing global.
class Forwarding {
 public:
  Forwarding() {
    sigemptyset(&signals_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGCHLD}) sigaddset(&signals_, signal);
    sigprocmask(SIG_BLOCK, &signals_, &mask_before_);
    // Where SIGCHLD was ignored, the command's end could not be waited for.
    struct sigaction by_default {};
    by_default.sa_handler = SIG_DFL;
    sigaction(SIGCHLD, &by_default, &child_before_);
  }
  ~Forwarding() { restore(); }
  Forwarding(const Forwarding&) = delete;
  Forwarding& operator=(const Forwarding&) = delete;

  // Also for the child: exec keeps its mask.
  void restore() const {
    sigaction(SIGCHLD, &child_before_, nullptr);
    sigprocmask(SIG_SETMASK, &mask_before_, nullptr);
  }

  // Until the command has ended; its exit code, a signal's as the shell gives it.
  [[nodiscard]] int wait_for(pid_t command) const {
    while (true) {
      int status = 0;
      if (::waitpid(command, &status, WNOHANG) == command) return exit_code_of(status);
      siginfo_t info{};
      const int signal = ::sigwaitinfo(&signals_, &info);
      if (signal < 0 || signal == SIGCHLD) continue;
      // The terminal signals its whole foreground group: the command has this one already.
      if (signal == SIGINT && info.si_code == SI_KERNEL) continue;
      ::kill(command, signal);
    }
  }

 private:
  sigset_t signals_{};
  sigset_t mask_before_{};
  struct sigaction child_before_ {};
};

}  // namespace

CommandResult run_command(const std::vector<std::string>& command,
                          const std::vector<std::pair<std::string, std::string>>& variables) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);

  // Closed by a successful exec; else the child writes its errno there.
  std::array<int, 2> report{};
  if (::pipe2(report.data(), O_CLOEXEC) != 0) return not_started(command, errno);
  const auto begin = std::chrono::steady_clock::now();
  const Forwarding forwarding;
  const pid_t pid = ::fork();
  if (pid == 0) {
    forwarding.restore();
    for (const auto& [name, value] : variables) ::setenv(name.c_str(), value.c_str(), 1);
    ::execvp(arguments[0], arguments.data());
    const int error = errno;
    [[maybe_unused]] const ssize_t written = ::write(report[1], &error, sizeof error);
    ::_exit(127);
  }
  const int fork_error = errno;
  ::close(report[1]);
  if (pid < 0) {
    ::close(report[0]);
    return not_started(command, fork_error);
  }
  int error = 0;
  ssize_t got = 0;
  while ((got = ::read(report[0], &error, sizeof error)) < 0 && errno == EINTR) {
  }
  ::close(report[0]);
  CommandResult result;
  result.exit_code = forwarding.wait_for(pid);
  if (got != 0) return not_started(command, error);
  result.took = std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() - begin);
  result.started = true;
  return result;
}

}  // namespace weir::daemon
