#include "faulty_disk.hpp"

#include <condition_variable>
#include <cstring>
#include <mutex>

namespace weir::ledger {
namespace {

// SQLite's tables of functions carry no context, hence one state for all.
struct State {
  std::mutex mutex;
  int first = 0, count = 0, code = SQLITE_OK;
  bool after = false;
  int seen = 0, failed = 0;
  std::condition_variable changed;  // the following two
  bool hang = false;
  int hanging = 0;  // syncs under way
  int locked_out = 0;
} state;
sqlite3_vfs* real = nullptr;
sqlite3_vfs vfs;
sqlite3_io_methods methods;

struct File {
  sqlite3_file base;
  sqlite3_file* real;  // behind this one
};

sqlite3_file* real_of(sqlite3_file* file) {
  return reinterpret_cast<File*>(file)->real;
}

struct Verdict {
  int code = SQLITE_OK;
  bool after = false;
};
enum class Operation { write, other };
Verdict next(Operation operation) {
  const std::lock_guard lock(state.mutex);
  if (state.count == 0 || (state.code == SQLITE_FULL && operation != Operation::write)) return {};
  ++state.seen;
  if (state.seen < state.first || state.seen >= state.first + state.count) return {};
  ++state.failed;
  return {state.code, state.after};
}

// `io` if the disk works, or, where it fails afterwards, too.
template <typename Io>
int act(Operation operation, Io io, int io_error) {
  const Verdict verdict = next(operation);
  if (verdict.code == SQLITE_OK) return io();
  if (verdict.after) io();
  return verdict.code == SQLITE_IOERR ? io_error : verdict.code;
}

void wait_while_hanging() {
  std::unique_lock lock(state.mutex);
  ++state.hanging;
  state.changed.notify_all();
  state.changed.wait(lock, [] { return !state.hang; });
  --state.hanging;
}

bool take_lock_out() {
  const std::lock_guard lock(state.mutex);
  if (state.locked_out == 0) return false;
  --state.locked_out;
  return true;
}

int open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  file->pMethods = nullptr;
  if (const Verdict verdict = next(Operation::other); verdict.code != SQLITE_OK) return SQLITE_CANTOPEN;
  auto* mine = reinterpret_cast<File*>(file);
  mine->real = reinterpret_cast<sqlite3_file*>(mine + 1);
  const int code = real->xOpen(real, name, mine->real, flags, out_flags);
  if (code == SQLITE_OK) file->pMethods = &methods;
  return code;
}

void fill_methods() {
  methods.iVersion = 2;
  methods.xClose = [](sqlite3_file* f) { return real_of(f)->pMethods->xClose(real_of(f)); };
  methods.xRead = [](sqlite3_file* f, void* data, int n, sqlite3_int64 at) {
    return real_of(f)->pMethods->xRead(real_of(f), data, n, at);
  };
  methods.xWrite = [](sqlite3_file* f, const void* data, int n, sqlite3_int64 at) {
    return act(
        Operation::write, [&] { return real_of(f)->pMethods->xWrite(real_of(f), data, n, at); },
        SQLITE_IOERR_WRITE);
  };
  methods.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
    return act(
        Operation::other, [&] { return real_of(f)->pMethods->xTruncate(real_of(f), size); },
        SQLITE_IOERR_TRUNCATE);
  };
  // Nobody pulls the plug in a test: a real sync would only take its time.
  methods.xSync = [](sqlite3_file*, int) {
    wait_while_hanging();
    return act(
        Operation::other, [] { return SQLITE_OK; }, SQLITE_IOERR_FSYNC);
  };
  methods.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) {
    return real_of(f)->pMethods->xFileSize(real_of(f), size);
  };
  methods.xLock = [](sqlite3_file* f, int lock) {
    if (take_lock_out()) return int{SQLITE_BUSY};
    return real_of(f)->pMethods->xLock(real_of(f), lock);
  };
  methods.xUnlock = [](sqlite3_file* f, int lock) { return real_of(f)->pMethods->xUnlock(real_of(f), lock); };
  methods.xCheckReservedLock = [](sqlite3_file* f, int* out) {
    return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
  };
  methods.xFileControl = [](sqlite3_file* f, int op, void* arg) {
    return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
  };
  methods.xSectorSize = [](sqlite3_file* f) { return real_of(f)->pMethods->xSectorSize(real_of(f)); };
  methods.xDeviceCharacteristics = [](sqlite3_file* f) {
    return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
  };
  methods.xShmMap = [](sqlite3_file* f, int page, int size, int extend, void volatile** out) {
    if (next(Operation::other).code != SQLITE_OK) return int{SQLITE_IOERR_SHMMAP};
    return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
  };
  methods.xShmLock = [](sqlite3_file* f, int offset, int n, int flags) {
    // Giving a lock back does not fail.
    if ((flags & SQLITE_SHM_LOCK) != 0 && next(Operation::other).code != SQLITE_OK)
      return int{SQLITE_IOERR_SHMLOCK};
    return real_of(f)->pMethods->xShmLock(real_of(f), offset, n, flags);
  };
  methods.xShmBarrier = [](sqlite3_file* f) { real_of(f)->pMethods->xShmBarrier(real_of(f)); };
  methods.xShmUnmap = [](sqlite3_file* f, int remove) {
    return real_of(f)->pMethods->xShmUnmap(real_of(f), remove);
  };
}

}  // namespace

FaultyDisk::FaultyDisk() {
  real = sqlite3_vfs_find("unix");
  fill_methods();
  vfs = *real;
  vfs.zName = "faulty";
  vfs.pNext = nullptr;
  vfs.szOsFile = static_cast<int>(sizeof(File)) + real->szOsFile;
  vfs.xOpen = open;
  heal();
  sqlite3_vfs_register(&vfs, 1);
}

FaultyDisk::~FaultyDisk() {
  sqlite3_vfs_unregister(&vfs);
  sqlite3_vfs_register(real, 1);
}

void FaultyDisk::fail(int first, int count, int code, bool after) {
  const std::lock_guard lock(state.mutex);
  state.first = first;
  state.count = count;
  state.code = code;
  state.after = after;
  state.seen = 0;
  state.failed = 0;
}

int FaultyDisk::failed() const {
  const std::lock_guard lock(state.mutex);
  return state.failed;
}

void FaultyDisk::hang_at_sync() {
  const std::lock_guard lock(state.mutex);
  state.hang = true;
}

void FaultyDisk::wait_until_hanging() {
  std::unique_lock lock(state.mutex);
  state.changed.wait(lock, [] { return state.hang && state.hanging > 0; });
}

void FaultyDisk::go_on() {
  const std::lock_guard lock(state.mutex);
  state.hang = false;
  state.changed.notify_all();
}

void FaultyDisk::lock_out(int times) {
  const std::lock_guard lock(state.mutex);
  state.locked_out = times;
}

}  // namespace weir::ledger
