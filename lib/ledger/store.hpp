// The writing connection: turns a batch into one transaction, and keeps the tables within their bounds.
//
// Created by the loop thread, then used by the writer thread alone. Failures throw sqlite::Error (OpenError
// from the constructor) and leave nothing half-written.
#pragma once

#include <string>

#include "ledger/batch.hpp"
#include "ledger/sqlite.hpp"
#include "ledger/totals.hpp"

namespace weir::ledger {

class Store {
 public:
  Store(const std::string& path, Durability durability);
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // Commits all of the batch, or throws and commits nothing - unless only COMMIT itself failed: then the same
  // batch, tried again with its `attempts` counted, finds out whether it did take place, and nothing is
  // written twice.
  void write(const Batch& batch);

  // Deletes a few of the single calls that are older than `retention_days` before the newest one, and of the
  // idempotency keys past their bounds. True if there may be more.
  bool prune(int retention_days);

  // Pages in the write-ahead log after the last commit.
  [[nodiscard]] int log_frames() const { return log_frames_; }
  enum class Checkpoint { passive, restart };
  // True if all of the log is in the database now. Does not throw: a later one makes up for it.
  bool checkpoint(Checkpoint mode);
  // Writes all that is committed into a new ledger at `path`, which must be an empty file or none.
  void copy_to(const std::string& path);

  [[nodiscard]] std::int64_t last_batch();
  std::vector<std::pair<NameId, std::string>> names();  // by ascending id
  [[nodiscard]] CallId newest() const { return newest_; }

 private:
  void insert(const Batch& batch);
  void insert_calls(const Batch& batch);
  void insert_totals(std::span<const TotalsDelta> deltas);
  void undo(const Refusal& refusal);
  void put_meta(std::string_view key, std::int64_t value);

  sqlite::Database db_;
  sqlite::Statement name_, admission_, admissions_, outcome_, outcomes_, minute_, day_, key_, observation_,
      forget_, correction_, day_zone_, meta_, meta_text_, last_batch_;
  TotalsFold fold_;
  CallId newest_ = 0;
  CallId oldest_open_ = 0;
  std::int64_t key_count_ = 0;  // of idempotency keys
  std::int64_t min_skew_us_ = 0, max_skew_us_ = 0;
  int log_frames_ = 0;
};

}  // namespace weir::ledger
