#include "daemon/commands/run_command.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace weir::daemon {
namespace {

constexpr std::array kForwarded = {SIGINT, SIGTERM, SIGHUP};
std::atomic<pid_t> child{0};
static_assert(std::atomic<pid_t>::is_always_lock_free);

void forward(int signal, siginfo_t* info, void*) {
  // The terminal signals its whole foreground group: the command has this one already.
  if (signal == SIGINT && info->si_code == SI_KERNEL) return;
  const int saved = errno;
  if (const pid_t pid = child.load(); pid > 0) ::kill(pid, signal);
  errno = saved;
}

// Forwards signals while it lives. They wait while the child's number is not known yet.
class Forwarding {
 public:
  Forwarding() {
    sigset_t set;
    sigemptyset(&set);
    for (const int signal : kForwarded) sigaddset(&set, signal);
    sigprocmask(SIG_BLOCK, &set, &mask_before_);
    struct sigaction action {};
    action.sa_sigaction = forward;
    action.sa_flags = SA_SIGINFO | SA_RESTART;
    sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < kForwarded.size(); ++i) {
      sigaction(kForwarded[i], nullptr, &before_[i]);
      // What nohup had ignored stays ignored.
      if (before_[i].sa_handler != SIG_IGN) sigaction(kForwarded[i], &action, nullptr);
    }
  }
  ~Forwarding() {
    for (std::size_t i = 0; i < kForwarded.size(); ++i) sigaction(kForwarded[i], &before_[i], nullptr);
    release();
  }
  Forwarding(const Forwarding&) = delete;
  Forwarding& operator=(const Forwarding&) = delete;

  void release() const { sigprocmask(SIG_SETMASK, &mask_before_, nullptr); }
  // In the child: its handlers are reset by exec, its mask is not.
  void restore_in_child() const {
    for (std::size_t i = 0; i < kForwarded.size(); ++i) sigaction(kForwarded[i], &before_[i], nullptr);
    release();
  }

 private:
  sigset_t mask_before_{};
  std::array<struct sigaction, kForwarded.size()> before_{};
};

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

CommandResult run_command(const std::vector<std::string>& command,
                          const std::vector<std::pair<std::string, std::string>>& variables) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);

  // Closed by a successful exec; else the child writes its errno there.
  std::array<int, 2> report{};
  if (::pipe2(report.data(), O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  const auto begin = std::chrono::steady_clock::now();
  CommandResult result;
  const Forwarding forwarding;
  const pid_t pid = ::fork();
  if (pid == 0) {
    forwarding.restore_in_child();
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
    throw std::system_error(fork_error, std::generic_category(), "fork");
  }
  child = pid;
  forwarding.release();
  int error = 0;
  ssize_t got = 0;
  while ((got = ::read(report[0], &error, sizeof error)) < 0 && errno == EINTR) {
  }
  ::close(report[0]);
  result.exit_code = wait_for(pid);
  child = 0;
  result.took = std::chrono::duration_cast<Micros>(std::chrono::steady_clock::now() - begin);
  result.started = got == 0;
  if (!result.started) {
    result.exit_code = error == ENOENT ? 127 : 126;
    result.problem = command[0] + ": " + std::strerror(error);
  }
  return result;
}

}  // namespace weir::daemon
