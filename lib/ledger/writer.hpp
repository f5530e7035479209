// The ledger thread: takes one batch at a time, makes it one transaction, reports, and tidies up while
// nothing is to do.
//
// The loop thread submits and collects; policy (what to do about a failing disk) is the loop thread's, this
// one only tries. It is asleep while idle. It reads the monotonic clock for its own pauses and durations,
// never the wall clock.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "ledger/batch.hpp"
#include "ledger/checkpointer.hpp"
#include "ledger/file.hpp"
#include "ledger/store.hpp"

namespace weir::ledger {

struct WriteResult {
  std::unique_ptr<Batch> batch;
  bool committed = false;
  std::string error;   // if not
  std::string notice;  // what an operator must hear of, although it went well; usually empty
  Micros duration{0};
};

// Shared with its thread, so that a disk that hangs for ever cannot hang the program's end.
class Writer {
 public:
  using Clock = std::chrono::steady_clock;

  // `finished` is called on the writer's thread after every batch; the loop thread then collects.
  // The lock is given back when the file is closed, however long that takes: until then its locks would be
  // in the way of whoever opens it.
  static std::shared_ptr<Writer> start(const Options& options, std::unique_ptr<FileLock> lock,
                                       std::unique_ptr<Store> store,
                                       std::vector<std::pair<NameId, std::string>> names,
                                       std::function<void()> finished);

  // --- loop thread ---
  // One batch at a time; tried after `pause`.
  void submit(std::unique_ptr<Batch> batch, std::chrono::milliseconds pause = {});
  std::optional<WriteResult> collect();
  // Waits for the result of what was submitted; nullopt when the patience ends first.
  std::optional<WriteResult> collect_by(Clock::time_point deadline);
  void hurry();  // ends the pause before the batch under way
  // Waits up to `patience` for the thread to close the file, then leaves it behind. What was not collected is
  // lost.
  void stop(std::chrono::milliseconds patience);

 private:
  explicit Writer(const Options& options) : options_(options) {}
  void run();
  WriteResult attempt(std::unique_ptr<Batch> batch);
  void require_store(std::int64_t sequence, std::string& notice);
  void adopt(std::unique_ptr<Store> store);
  void rescue();
  void let_go();
  void remember(const Batch& batch);
  Clock::time_point next_chore() const;
  void do_chores();
  void keep_log_short();

  const Options options_;
  std::thread thread_;

  // Used by the thread only.
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<Store> store_;
  std::unique_ptr<Checkpointer> checkpointer_;
  std::optional<FileIdentity> identity_, log_identity_;  // of the ledger and its log
  bool rescued_ = false;  // a whole copy waits to be put in the deleted file's place
  Clock::time_point identity_checked_{};
  Batch known_;  // names, anchor, oldest_open: what a new file has to be told
  int log_generation_ = 0;
  int log_frames_ = 0;
  Clock::time_point last_restart_{};
  // Chores; max() = none to do.
  Clock::time_point checkpoint_at_ = Clock::time_point::max();
  Clock::time_point prune_at_{};
  Clock::time_point pruned_{};
  CallId pruned_for_ = 0;

  // Guarded by mutex_.
  std::mutex mutex_;
  std::condition_variable wake_;      // the thread waits
  std::condition_variable finished_;  // the loop thread waits, only while stopping
  std::unique_ptr<Batch> job_;
  Clock::time_point job_at_{};
  std::optional<WriteResult> result_;
  bool stopping_ = false;
  bool ended_ = false;
  std::function<void()> on_finished_;  // constant after start
};

}  // namespace weir::ledger
