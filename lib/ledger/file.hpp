// The ledger as a file: who may use it, whether it is one, and how it is opened. Every failure is an
// OpenError that tells an operator what to do.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ledger/ledger.hpp"
#include "ledger/sqlite.hpp"

namespace weir::ledger {

// The right to write a ledger: an flock on "<path>.lock", held as long as the ledger is open, so that a
// second daemon is refused. Not on the database itself, where SQLite's own locks would be dropped with the
// first descriptor that closes. Readers need none.
class FileLock {
 public:
  explicit FileLock(const std::string& path);  // throws OpenError
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  int fd_ = -1;
};

// Tells whether a path still leads to the file that was opened.
struct FileIdentity {
  std::uint64_t device = 0, inode = 0;
  bool operator==(const FileIdentity&) const = default;
};
std::optional<FileIdentity> identity_of(const std::string& path);  // nullopt: nothing there; throws OpenError

// Opens or creates the file (mode 0600), checks that it is a ledger, undamaged as far as a few reads can tell
// (all of it if it is small), and migrates it. Throws OpenError.
sqlite::Database open_for_writing(const std::string& path, Durability durability);

// Opens a ledger that exists. Throws OpenError.
sqlite::Database open_for_reading(const std::string& path);

// What a failure means, in words for an operator: "<path>: what is wrong: what to do".
std::string explain(const std::string& path, const sqlite::Error& error);

// The write-ahead log beside a database.
inline std::string log_of(const std::string& path) {
  return path + "-wal";
}

// Makes an empty file if there is none (mode 0600: SQLite would create it readable by all, and its -wal and
// -shm files take the mode of the database). True if there was none. Throws OpenError.
bool create_private(const std::string& path);

// Removes what SQLite keeps beside a database that is gone: another one at the same path must not replay it.
void remove_leftovers(const std::string& path);

}  // namespace weir::ledger
