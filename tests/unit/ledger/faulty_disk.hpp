// A disk that fails when told to: an SQLite VFS over the real one, the default for as long as it lives.
#pragma once

#include <sqlite3.h>

namespace weir::ledger {

class FaultyDisk {
 public:
  FaultyDisk();
  ~FaultyDisk();
  FaultyDisk(const FaultyDisk&) = delete;
  FaultyDisk& operator=(const FaultyDisk&) = delete;

  // Lets `first - 1` operations (write, sync, truncate, open, shared memory, from now on) pass, then fails
  // `count` of them with `code`; a full disk fails writes alone. With `after`, they take place and fail all
  // the same.
  void fail(int first, int count, int code, bool after = false);
  void heal() { fail(0, 0, SQLITE_OK); }
  [[nodiscard]] int failed() const;  // operations that failed since fail()

  // From now on a sync takes until go_on().
  void hang_at_sync();
  void wait_until_hanging();  // for a sync to begin
  void go_on();

  // The next `times` attempts to lock the database file find that somebody else has locked it.
  void lock_out(int times);
};

}  // namespace weir::ledger
