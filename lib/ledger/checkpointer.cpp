#include "ledger/checkpointer.hpp"

#include <sqlite3.h>

namespace weir::ledger {
namespace {

constexpr int kPasses = 4;        // a request makes at most
constexpr int kCloseEnough = 64;  // frames that it may leave

}  // namespace

Checkpointer::Checkpointer(const std::string& path)
    : path_(path), identity_(identity_of(path)), thread_([this] { run(); }) {}

Checkpointer::~Checkpointer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Checkpointer::request(int generation) {
  {
    const std::lock_guard lock(mutex_);
    if (progress_.busy) return;
    progress_.busy = true;
    progress_.generation = generation;
  }
  wake_.notify_one();
}

Checkpointer::Progress Checkpointer::progress() {
  const std::lock_guard lock(mutex_);
  return progress_;
}

void Checkpointer::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || progress_.busy; });
    if (stopping_) break;
    lock.unlock();
    const int frames = follow();
    lock.lock();
    progress_.frames = frames;
    progress_.busy = false;
  }
  db_ = {};
}

int Checkpointer::follow() {
  int frames = 0;
  int done = 0;
  try {
    if (!db_) {
      // Another file in this place, with the log of the former one still beside it, would be ruined by a
      // checkpoint.
      if (identity_of(path_) != identity_) return 0;
      db_ = sqlite::Database(path_, SQLITE_OPEN_READWRITE);
      db_.exec(
          "PRAGMA wal_autocheckpoint = 0; SELECT 1 FROM meta LIMIT 1");  // the read makes it notice the log
    }
    for (int pass = 0; pass < kPasses; ++pass) {
      const int before = done;
      const int code =
          sqlite3_wal_checkpoint_v2(db_.handle(), nullptr, SQLITE_CHECKPOINT_PASSIVE, &frames, &done);
      if (code != SQLITE_OK && code != SQLITE_BUSY) throw sqlite::Error(code, "checkpoint");
      if (frames - done <= kCloseEnough || done == before) break;
    }
  } catch (const sqlite::Error&) {
    // The log only grows a little longer; a failing disk is the writer's to report. A connection to a file
    // that is gone must not be kept.
    db_ = {};
    return 0;
  }
  return done;
}

}  // namespace weir::ledger
