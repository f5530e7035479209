#include "ledger/file.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <sqlite3.h>

#include "ledger/migrations.hpp"

namespace weir::ledger {
namespace {

constexpr std::int64_t kApplicationId = 0x57656972;  // "Weir", in the header of the file
// Up to here the whole file is checked at start, which takes about 1 ms a megabyte.
constexpr std::int64_t kFullCheckBytes = 16 << 20;
constexpr int kBusyTimeoutMs = 100;
// Other programs (sqlite3, a copy being made, the last reader to close) lock the whole file for moments. To
// open it is worth a wait.
constexpr int kOpenTimeoutMs = 5000;

std::string system_error() {
  return std::strerror(errno);
}

void require_directory(const std::string& path) {
  const std::filesystem::path parent = std::filesystem::absolute(path).parent_path();
  std::error_code ignored;
  if (std::filesystem::is_directory(parent, ignored)) return;
  throw OpenError(
      fmt::format("{}: there is no directory {}: create it (mkdir -p {}) or set another [ledger] path", path,
                  parent.string(), parent.string()));
}

}  // namespace

bool create_private(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd >= 0) {
    ::close(fd);
    return true;
  }
  if (errno != EEXIST) throw OpenError(fmt::format("{}: cannot be created: {}", path, system_error()));
  return false;
}

namespace {

std::string damaged(const std::string& path, std::string_view detail) {
  return fmt::format(
      "{0}: the ledger is damaged: {1}. Restore a copy, or move it away together with {0}-wal and {0}-shm to "
      "start "
      "an empty one; `sqlite3 {0} .recover` prints what can be saved",
      path, detail);
}

void require_ours(sqlite::Database& db, const std::string& path) {
  const std::int64_t application = db.integer("PRAGMA application_id");
  const std::int64_t version = db.integer("PRAGMA user_version");
  const auto known = static_cast<std::int64_t>(migrations().size());
  if (application != kApplicationId) {
    if (application == 0 && db.integer("SELECT count(*) FROM sqlite_schema") == 0) return;  // new
    throw OpenError(fmt::format("{}: is a database of another program: set another [ledger] path", path));
  }
  if (version > known) {
    throw OpenError(fmt::format(
        "{}: was written by a newer Weir (schema {}; this one knows up to {}): install that version, "
        "or start with another [ledger] path",
        path, version, known));
  }
}

void migrate(sqlite::Database& db) {
  const auto steps = migrations();
  for (auto version = db.integer("PRAGMA user_version"); version < static_cast<std::int64_t>(steps.size());
       ++version) {
    sqlite::Transaction transaction(db, sqlite::Transaction::Kind::write);
    db.exec(steps[static_cast<std::size_t>(version)].sql);
    db.exec(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}", kApplicationId, version + 1));
    transaction.commit();
  }
}

void check(sqlite::Database& db, const std::string& path) {
  // The ends of the tables: where a torn write would have hit, and what is written next.
  for (const char* sql :
       {"SELECT * FROM admissions ORDER BY id DESC LIMIT 1", "SELECT * FROM meta",
        "SELECT * FROM outcomes ORDER BY id DESC LIMIT 1", "SELECT * FROM names LIMIT 1",
        "SELECT * FROM minutes ORDER BY minute DESC LIMIT 1", "SELECT * FROM days LIMIT 1",
        "SELECT * FROM idempotency ORDER BY call DESC LIMIT 1", "SELECT * FROM observations",
        "SELECT * FROM corrections", "SELECT * FROM day_zones"}) {
    db.exec(sql);
  }
  if (db.integer("PRAGMA page_count") * db.integer("PRAGMA page_size") > kFullCheckBytes) return;
  const std::string verdict = db.text("PRAGMA quick_check(1)");
  if (verdict != "ok") throw OpenError(damaged(path, verdict));
}

}  // namespace

FileLock::FileLock(const std::string& path) {
  require_directory(path);
  const std::string lock = path + ".lock";
  fd_ = ::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd_ < 0) {
    throw OpenError(fmt::format("{}: cannot be created: {}: the directory must be writable by this user",
                                lock, system_error()));
  }
  if (::flock(fd_, LOCK_EX | LOCK_NB) == 0) {
    const std::string pid = fmt::format("{}\n", ::getpid());
    // The process id is for people; nothing depends on it.
    if (::ftruncate(fd_, 0) == 0 && ::pwrite(fd_, pid.data(), pid.size(), 0) < 0) errno = 0;
    return;
  }
  char owner[32] = {};
  const auto length = ::pread(fd_, owner, sizeof owner - 1, 0);
  const std::string pid(owner, length > 0 ? std::strcspn(owner, "\n") : 0);
  ::close(fd_);
  throw OpenError(fmt::format("{}: another daemon uses this ledger{}: stop it, or set another [ledger] path",
                              path, pid.empty() ? "" : fmt::format(" (process {})", pid)));
}

FileLock::~FileLock() {
  // The lock file stays: removing it would let a third daemon lock another file of the same name.
  ::close(fd_);
}

std::optional<FileIdentity> identity_of(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    throw OpenError(fmt::format("{}: cannot be looked at: {}", path, system_error()));
  }
  return FileIdentity{status.st_dev, status.st_ino};
}

sqlite::Database open_for_writing(const std::string& path, Durability durability) {
  require_directory(path);
  create_private(path);
  try {
    sqlite::Database db(path, SQLITE_OPEN_READWRITE);
    sqlite3_busy_timeout(db.handle(), kOpenTimeoutMs);
    require_ours(db, path);
    if (const std::string mode = db.text("PRAGMA journal_mode = WAL"); mode != "wal") {
      throw OpenError(
          fmt::format("{}: its file system cannot share memory between processes, which SQLite's write-ahead "
                      "log needs: put "
                      "the ledger on a local disk",
                      path));
    }
    db.exec(durability == Durability::power ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL");
    db.exec(
        "PRAGMA wal_autocheckpoint = 0;"         // inside COMMIT it costs 10 to 35 ms: see checkpointer.hpp
        "PRAGMA journal_size_limit = 67108864;"  // shrinks a log that a burst has grown
        "PRAGMA cache_size = -4096;"
        "PRAGMA secure_delete = FAST");
    migrate(db);
    check(db, path);
    sqlite3_busy_timeout(db.handle(), kBusyTimeoutMs);
    return db;
  } catch (const sqlite::Error& error) {
    throw OpenError(explain(path, error));
  }
}

sqlite::Database open_for_reading(const std::string& path) {
  try {
    sqlite::Database db(path, SQLITE_OPEN_READONLY);
    sqlite3_busy_timeout(db.handle(), 1000);
    require_ours(db, path);
    return db;
  } catch (const sqlite::Error& error) {
    throw OpenError(explain(path, error));
  }
}

std::string explain(const std::string& path, const sqlite::Error& error) {
  switch (error.primary()) {
    case SQLITE_NOTADB:
      return fmt::format(
          "{0}: is not an SQLite database, or its first page is damaged: restore a copy, or move it "
          "away to start an empty ledger",
          path);
    case SQLITE_CORRUPT:
      return damaged(path, error.what());
    case SQLITE_FULL:
      return fmt::format("{}: the disk is full: {}", path, error.what());
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return fmt::format("{}: another program holds a lock on it: {}", path, error.what());
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
      return fmt::format(
          "{}: cannot be opened for use: {}: it, its directory, and its -wal and -shm files must be "
          "readable and writable by this user",
          path, error.what());
    default:
      return fmt::format("{}: {}", path, error.what());
  }
}

void remove_leftovers(const std::string& path) {
  ::unlink(log_of(path).c_str());
  ::unlink((path + "-shm").c_str());
}

}  // namespace weir::ledger
