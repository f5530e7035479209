#include "daemon/background_fetch.hpp"

#include <mutex>
#include <system_error>
#include <thread>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/commands/command.hpp"

namespace weir::daemon {

struct BackgroundFetch::Shared {
  Shared() : fd(::eventfd(0, EFD_CLOEXEC)) {
    if (fd < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  }
  ~Shared() { ::close(fd); }
  Shared(const Shared&) = delete;
  Shared& operator=(const Shared&) = delete;

  const int fd;
  std::mutex mutex;
  std::optional<Result> result;
};

BackgroundFetch::BackgroundFetch(Client client, ClientRequest request) : shared_(std::make_shared<Shared>()) {
  std::thread([shared = shared_, client = std::move(client), request = std::move(request)]() mutable {
    Result result;
    try {
      result.body = fetch(client, request);
    } catch (const Unreachable& error) {
      result.trouble = error.what();
      result.exit_code = kUnreachable;
    } catch (const CommandError& error) {
      result.trouble = error.what();
      result.exit_code = error.code;
    } catch (const std::exception& error) {
      result.trouble = error.what();
      result.exit_code = kFailed;
    }
    const std::lock_guard lock(shared->mutex);
    shared->result = std::move(result);
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(shared->fd, &one, sizeof one);
  }).detach();
}

int BackgroundFetch::ready_fd() const {
  return shared_->fd;
}

std::optional<BackgroundFetch::Result> BackgroundFetch::wait(std::chrono::milliseconds patience) {
  pollfd ready{shared_->fd, POLLIN, 0};
  ::poll(&ready, 1, static_cast<int>(patience.count()));
  const std::lock_guard lock(shared_->mutex);
  return std::exchange(shared_->result, std::nullopt);
}

}  // namespace weir::daemon
