// What the ledger's tests share: a directory of their own, a loop that is pumped by hand, records by the
// dozen.
#pragma once

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <stdlib.h>

#include "ledger/ledger.hpp"
#include "ledger/reader.hpp"

namespace weir::ledger {

class TempDirectory {
 public:
  TempDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "weir-ledger-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TempDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  [[nodiscard]] std::string file(const std::string& name = "weir.db") const {
    return (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

// Plays the loop thread: what is posted runs when the test pumps.
class Loop {
 public:
  Ledger::Post post() {
    return [queue = queue_](std::function<void()> function) {
      const std::lock_guard lock(queue->mutex);
      queue->functions.push_back(std::move(function));
      queue->ready.notify_one();
    };
  }
  // Until `done`; false if nothing more happens for ten seconds.
  bool run_until(const std::function<bool()>& done) {
    while (!done()) {
      std::unique_lock lock(queue_->mutex);
      if (!queue_->ready.wait_for(lock, std::chrono::seconds(60),
                                  [&] { return !queue_->functions.empty(); })) {
        return false;
      }
      const std::function<void()> function = std::move(queue_->functions.front());
      queue_->functions.pop_front();
      lock.unlock();
      function();
    }
    return true;
  }

 private:
  struct Queue {
    std::mutex mutex;
    std::condition_variable ready;
    std::deque<std::function<void()>> functions;
  };
  std::shared_ptr<Queue> queue_ = std::make_shared<Queue>();
};

struct RecordingWaiter : Waiter {
  void committed(Commit result) override { results.push_back(result); }
  std::vector<Commit> results;
  [[nodiscard]] bool called() const { return !results.empty(); }
};

constexpr std::int64_t kEpochUs = 1'795'000'000'000'000;  // in November 2026
constexpr std::int64_t kMinuteUs = 60'000'000;
constexpr std::int64_t kDayUs = 86'400'000'000;

inline Admission admission(CallId id, Key key = {1, 1, 1}) {
  Admission a;
  a.id = id;
  a.key = key;
  a.lease_us = 120'000'000;
  a.held = {1, 100, 50, 0, 7};
  a.local_day = static_cast<std::int32_t>(id / kDayUs);
  return a;
}

inline Outcome outcome(CallId id, std::int64_t tokens = 10) {
  Outcome o;
  o.id = id;
  o.span_us = 250'000;
  o.settled_us = 200'000;
  o.latency_us = 190'000;
  o.status = 200;
  o.usage = {tokens, 1, 2, 3, 4, 0};
  o.charged = {1, tokens + 4, 5, 0, 11};
  o.cost = 11;
  o.fingerprint = 0xfedcba9876543210U;
  return o;
}

// What closing `a` with `o` adds, or, with sign -1, takes back.
inline TotalsDelta delta(const Admission& a, const Outcome& o) {
  TotalsDelta d;
  d.minute = (a.id + a.skew_us) / kMinuteUs;
  d.local_day = a.local_day;
  d.key = a.key;
  d.totals.calls = 1;
  d.totals.errors = o.status >= 400 ? 1 : 0;
  d.totals.expired = o.state == State::expired ? 1 : 0;
  d.totals.usage = o.usage;
  d.totals.cost = o.cost;
  d.totals.charged = o.charged;
  return d;
}

}  // namespace weir::ledger
