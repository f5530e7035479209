// Moves pages from the write-ahead log into the database, beside the writer, so that no commit waits for it.
//
// SQLite's automatic checkpoint runs inside COMMIT and makes one in a few hundred take 10 to 35 ms. A passive
// checkpoint on another connection disturbs nobody, but under load it never quite reaches the end of the log,
// and only a log that is copied to its end starts again from its beginning. So: this thread follows the
// writer closely, and the writer copies the last few pages itself when the log has grown long (see
// Writer::keep_log_short).
#pragma once

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

#include "ledger/file.hpp"
#include "ledger/sqlite.hpp"

namespace weir::ledger {

// Own thread, own connection, opened with the first request. Owned by the writer's thread.
class Checkpointer {
 public:
  // For the file that is at the path now; never opens another.
  explicit Checkpointer(const std::string& path);
  // Waits for what is under way, and closes. On a disk that hangs, that hangs the writer, which its owner
  // leaves behind: see Writer::stop.
  ~Checkpointer();
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  // Any thread. Ignored while it is at work. A `generation` is the life of a log between two restarts.
  void request(int generation);
  struct Progress {
    bool busy = false;
    int generation = 0;
    int frames = 0;  // of the log of that generation that are in the database
  };
  [[nodiscard]] Progress progress();

 private:
  void run();
  int follow();  // frames in the database; 0 if it failed

  const std::string path_;
  const std::optional<FileIdentity> identity_;
  // Used by the thread only.
  sqlite::Database db_;
  // Guarded by mutex_.
  std::mutex mutex_;
  std::condition_variable wake_;
  Progress progress_;
  bool stopping_ = false;

  std::thread thread_;  // the last: it uses the others
};

}  // namespace weir::ledger
