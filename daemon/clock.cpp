#include "daemon/clock.hpp"

#include <algorithm>
#include <fstream>

#include <time.h>

namespace weir::daemon {
namespace {

std::int64_t read_us(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return std::int64_t{t.tv_sec} * 1'000'000 + t.tv_nsec / 1'000;
}

std::string boot_id() {
  std::string id;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), id);
  return id;
}

}  // namespace

Clock::Clock(const ledger::Anchor& stored, ledger::CallId last_id) {
  anchor_.boot_id = boot_id();
  const std::int64_t boot = read_us(CLOCK_BOOTTIME);
  const bool same_boot = !anchor_.boot_id.empty() && stored.boot_id == anchor_.boot_id;
  anchor_.offset_us = same_boot ? stored.offset_us : read_us(CLOCK_REALTIME) - boot;
  anchor_.offset_us = std::max(anchor_.offset_us, last_id + 1 - boot);
}

Now Clock::now() const {
  return {SteadyTime(Micros(read_us(CLOCK_BOOTTIME) + anchor_.offset_us)),
          WallTime(Micros(read_us(CLOCK_REALTIME)))};
}

}  // namespace weir::daemon
