#include "ledger/writer.hpp"

#include <filesystem>

#include <sched.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sqlite3.h>

namespace weir::ledger {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kIdentityEvery{1};
// The log in pages of 4 KiB: from here on the checkpointer follows,
constexpr int kFollowFrames = 1024;
// here the writer helps to reach its end, if only this much is left to do,
constexpr int kFinishFrames = 8192;
constexpr int kFinishAtMost = 512;
// and here it insists: long readers have kept the log from starting again.
constexpr int kInsistFrames = 65536;
constexpr seconds kInsistEvery{10};
constexpr seconds kIdleCheckpoint{1};
// Old calls go in chunks while nothing else happens; if that never comes, then all the same, so often that
// some 5,000 a second go: more than most ledgers take in.
constexpr milliseconds kPruneIdle{20};
constexpr milliseconds kPruneBusy{50};
constexpr CallId kPruneEveryUs = 3'600'000'000;  // of the calls' own time
constexpr auto kNever = Writer::Clock::time_point::max();

// Whether a connection that failed so may be used again.
bool connection_survives(const sqlite::Error& error) {
  return error.primary() == SQLITE_FULL || error.primary() == SQLITE_BUSY ||
         error.primary() == SQLITE_LOCKED || error.primary() == SQLITE_CONSTRAINT;
}

// Woken, this thread does not interrupt the one that runs. Where the loop and the writer share a CPU, the
// loop else stops at every handing over, with half of its turn still to do; so batches are larger, and fewer.
// A system that forbids it loses that and nothing more.
void let_the_loop_finish() {
  const sched_param no_priority{};
  sched_setscheduler(0, SCHED_BATCH, &no_priority);
}

}  // namespace

std::shared_ptr<Writer> Writer::start(const Options& options, std::unique_ptr<FileLock> lock,
                                      std::unique_ptr<Store> store,
                                      std::vector<std::pair<NameId, std::string>> names,
                                      std::function<void()> finished) {
  std::shared_ptr<Writer> writer(new Writer(options));
  writer->lock_ = std::move(lock);
  writer->adopt(std::move(store));
  writer->known_.names = std::move(names);
  writer->on_finished_ = std::move(finished);
  writer->thread_ = std::thread([writer] { writer->run(); });
  return writer;
}

void Writer::submit(std::unique_ptr<Batch> batch, milliseconds pause) {
  {
    const std::lock_guard lock(mutex_);
    job_ = std::move(batch);
    job_at_ = pause.count() == 0 ? Clock::time_point{} : Clock::now() + pause;
  }
  wake_.notify_one();
}

std::optional<WriteResult> Writer::collect() {
  const std::lock_guard lock(mutex_);
  return std::exchange(result_, std::nullopt);
}

std::optional<WriteResult> Writer::collect_by(Clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  finished_.wait_until(lock, deadline, [this] { return result_.has_value(); });
  return std::exchange(result_, std::nullopt);
}

void Writer::hurry() {
  {
    const std::lock_guard lock(mutex_);
    job_at_ = {};
  }
  wake_.notify_one();
}

void Writer::stop(milliseconds patience) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  wake_.notify_one();
  const bool ended = finished_.wait_for(lock, patience, [this] { return ended_; });
  lock.unlock();
  if (!thread_.joinable()) return;
  ended ? thread_.join() : thread_.detach();
}

void Writer::run() {
  // But where commits wait for the disk, the loop has that time to go on.
  if (options_.durability == Durability::process) let_the_loop_finish();
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    const Clock::time_point wake_at = job_ ? job_at_ : next_chore();
    const auto something = [this] { return stopping_ || (job_ && job_at_ <= Clock::now()); };
    if (wake_at == kNever) {
      wake_.wait(lock, [this] { return stopping_ || job_; });
    } else if (wake_at > Clock::now()) {
      wake_.wait_until(lock, wake_at, [&] { return something() || (job_ && job_at_ < wake_at); });
    }
    if (stopping_) break;
    if (job_ && job_at_ <= Clock::now()) {
      std::unique_ptr<Batch> batch = std::move(job_);
      lock.unlock();
      WriteResult result = attempt(std::move(batch));
      lock.lock();
      result_ = std::move(result);
      finished_.notify_one();
      const bool heard = !stopping_;  // nobody is left to be told while the process ends
      lock.unlock();
      if (heard) on_finished_();
      keep_log_short();
      lock.lock();
    } else if (!job_ && next_chore() <= Clock::now()) {
      lock.unlock();
      do_chores();
      lock.lock();
    }
  }
  lock.unlock();
  try {
    if ((store_ || rescued_) && !identity_of(options_.path)) rescue();
  } catch (const std::exception&) {
    // What was refused before is refused now; the operator has been told.
  }
  checkpointer_.reset();
  store_.reset();  // the last connection moves what is left in the log and removes it
  lock_.reset();
  lock.lock();
  ended_ = true;
  finished_.notify_all();
}

WriteResult Writer::attempt(std::unique_ptr<Batch> batch) {
  WriteResult result;
  const Clock::time_point begin = Clock::now();
  try {
    if (!store_ || batch->attempts > 0 || begin - identity_checked_ >= kIdentityEvery) {
      require_store(batch->sequence, result.notice);
      identity_checked_ = begin;
    }
    store_->write(*batch);
    remember(*batch);
    result.committed = true;
  } catch (const sqlite::Error& error) {
    result.error = explain(options_.path, error);
    if (!connection_survives(error)) store_.reset();
  } catch (const OpenError& error) {
    result.error = error.what();
  } catch (const std::exception& error) {
    result.error = fmt::format("{}: {}", options_.path, error.what());
  }
  result.duration = std::chrono::duration_cast<Micros>(Clock::now() - begin);
  result.batch = std::move(batch);
  return result;
}

// Afterwards store_ writes to the file at the path: the one it always was, or, if that was deleted, a new
// one with all that the former held, as long as that is still open.
void Writer::require_store(std::int64_t sequence, std::string& notice) {
  const std::string& path = options_.path;
  const std::optional<FileIdentity> found = identity_of(path);
  if (store_ && found == identity_) return;
  if (found == identity_) {  // only the connection had failed
    adopt(std::make_unique<Store>(path, options_.durability));
    return;
  }
  if (!found && (store_ || rescued_)) {
    rescue();
    adopt(std::make_unique<Store>(path, options_.durability));
    notice = fmt::format(
        "{}: the ledger was deleted while this daemon ran: it was written again, nothing is lost; stop the "
        "daemon before you remove its ledger",
        path);
    return;
  }
  let_go();
  if (found) {
    // Not ours to write into: its names have other numbers, and it may be a copy that was put there with a
    // purpose.
    throw OpenError(
        fmt::format("{}: was replaced by another file while this daemon ran: put the former one back, or "
                    "restart the daemon to go on with this one",
                    path));
  }
  if (!create_private(path)) {
    throw OpenError(fmt::format("{}: was put there by another program while this daemon ran", path));
  }
  remove_leftovers(path);
  auto fresh = std::make_unique<Store>(path, options_.durability);
  known_.sequence = sequence - 2;
  fresh->write(known_);
  adopt(std::move(fresh));
  notice = fmt::format(
      "{}: the ledger was deleted while this daemon ran: a new one was created; the calls and totals "
      "in the old one are lost, what is in memory goes on",
      path);
}

void Writer::adopt(std::unique_ptr<Store> store) {
  const std::optional<FileIdentity> identity = identity_of(options_.path);
  log_identity_ = identity_of(log_of(options_.path));
  identity_ = identity;
  store_ = std::move(store);
  if (!checkpointer_) checkpointer_ = std::make_unique<Checkpointer>(options_.path);
  log_frames_ = 0;
  ++log_generation_;
}

// A file that was deleted lives on while it is open: puts a copy of it in its place, and closes it. Throws if
// that fails, and leaves it open, or its copy to be put there by the next attempt.
void Writer::rescue() {
  const std::string copy = options_.path + ".rescue";
  if (!rescued_) {
    ::unlink(copy.c_str());
    try {
      create_private(copy);
      store_->copy_to(copy);
    } catch (const std::exception& error) {
      ::unlink(copy.c_str());
      throw OpenError(
          fmt::format("{}: the ledger was deleted while this daemon ran, and cannot be written again: {}",
                      options_.path, error.what()));
    }
    rescued_ = true;
    // Before the copy takes its place: the last connection to close removes a log by its name, whosever it
    // is.
    checkpointer_.reset();
    store_.reset();
  }
  const std::optional<FileIdentity> identity = identity_of(copy);
  remove_leftovers(options_.path);
  std::error_code failure;
  std::filesystem::rename(copy, options_.path, failure);
  if (failure) {
    throw OpenError(fmt::format(
        "{}: the ledger was deleted while this daemon ran; all of it is in {}, which cannot be renamed: {}",
        options_.path, copy, failure.message()));
  }
  rescued_ = false;
  identity_ = identity;
}

// Leaves a file that is no longer at the path, complete if it lives on under another name, and takes its log
// away from beside what is there now: SQLite would replay it into that.
void Writer::let_go() {
  const bool complete = store_ && store_->checkpoint(Store::Checkpoint::passive);
  store_.reset();
  checkpointer_.reset();
  if (complete && identity_of(log_of(options_.path)) == log_identity_) remove_leftovers(options_.path);
}

void Writer::remember(const Batch& batch) {
  known_.names.insert(known_.names.end(), batch.names.begin(), batch.names.end());
  if (batch.anchor) known_.anchor = batch.anchor;
  if (batch.oldest_open != 0) known_.oldest_open = batch.oldest_open;
}

Writer::Clock::time_point Writer::next_chore() const {
  return std::min(checkpoint_at_, prune_at_);
}

void Writer::do_chores() {
  const Clock::time_point now = Clock::now();
  if (checkpoint_at_ <= now) {
    checkpoint_at_ = kNever;
    if (checkpointer_) checkpointer_->request(log_generation_);
  }
  if (prune_at_ > now) return;
  prune_at_ = kNever;
  if (!store_) return;
  try {
    pruned_ = now;
    pruned_for_ = store_->newest();
    if (store_->prune(options_.retention_days)) prune_at_ = now + kPruneIdle;
  } catch (const sqlite::Error&) {
    // Nothing is lost by deleting later; a disk that fails shows with the next batch.
  }
}

void Writer::keep_log_short() {
  if (!store_ || !checkpointer_) return;
  const Clock::time_point now = Clock::now();
  const int frames = store_->log_frames();
  if (frames < log_frames_) ++log_generation_;
  log_frames_ = frames;
  const Checkpointer::Progress progress = checkpointer_->progress();
  const int left = progress.generation == log_generation_ ? frames - progress.frames : frames;
  if (!progress.busy) {
    if (frames >= kInsistFrames && now - last_restart_ >= kInsistEvery) {
      last_restart_ = now;
      store_->checkpoint(Store::Checkpoint::restart);
    } else if (frames >= kFinishFrames && left <= kFinishAtMost) {
      store_->checkpoint(Store::Checkpoint::passive);
    } else if (left >= kFollowFrames || (frames >= kFinishFrames && left > kFinishAtMost)) {
      checkpointer_->request(log_generation_);
    }
  }
  checkpoint_at_ = now + kIdleCheckpoint;
  // A pause of the caller's lets a chunk go; without one, it goes when it is overdue.
  if (prune_at_ != kNever || store_->newest() - pruned_for_ >= kPruneEveryUs) {
    const bool overdue = now - pruned_ >= kPruneBusy;
    prune_at_ = overdue ? now : now + kPruneIdle;
    if (overdue) do_chores();
  }
}

}  // namespace weir::ledger
