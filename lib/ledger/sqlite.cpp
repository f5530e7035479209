#include "ledger/sqlite.hpp"

#include <system_error>

#include <fmt/format.h>
#include <sqlite3.h>

namespace weir::ledger::sqlite {
namespace {

Error error_of(sqlite3* db, int code) {
  const int system = sqlite3_system_errno(db);
  std::string text = fmt::format("{} (SQLite {})", sqlite3_errmsg(db), code);
  // errno is stale unless the failure came from the system.
  const int primary = code & 0xff;
  if (system != 0 && (primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN || primary == SQLITE_FULL)) {
    text += ": " + std::system_category().message(system);
  }
  return {code, text};
}

}  // namespace

bool Error::damaged() const {
  return primary() == SQLITE_CORRUPT || primary() == SQLITE_NOTADB;
}

Statement::Statement(sqlite3* db, const char* sql) {
  const int code = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
  if (code != SQLITE_OK) throw error_of(db, code);
}

Statement::~Statement() {
  sqlite3_finalize(statement_);
}

void Statement::bind_at(int index, std::int64_t value) {
  sqlite3_bind_int64(statement_, index, value);
}

void Statement::bind_at(int index, std::string_view text) {
  // A null pointer would bind NULL, and empty views may hold one.
  sqlite3_bind_text64(statement_, index, text.empty() ? "" : text.data(), text.size(), SQLITE_STATIC,
                      SQLITE_UTF8);
}

bool Statement::step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) fail(code);
  return false;
}

void Statement::run() {
  while (step()) {
  }
  reset();
}

void Statement::reset() {
  sqlite3_reset(statement_);  // repeats the error of the step, which was already thrown
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

std::string_view Statement::text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (data == nullptr) return {};
  return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

void Statement::fail(int code) {
  Error error = error_of(sqlite3_db_handle(statement_), code);
  reset();
  throw error;
}

Database::Database(const std::string& path, int flags) {
  // Its account of memory, which nobody reads, takes a lock for every allocation. Once, before all else.
  [[maybe_unused]] static const int kWithoutAccount = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  const int code =
      sqlite3_open_v2(path.c_str(), &db_, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nullptr);
  if (code == SQLITE_OK) return;
  if (db_ == nullptr) throw Error(code, sqlite3_errstr(code));
  const Error error = error_of(db_, code);
  sqlite3_close_v2(std::exchange(db_, nullptr));
  throw error;
}

Database& Database::operator=(Database&& other) noexcept {
  std::swap(db_, other.db_);
  std::swap(begin_read_, other.begin_read_);
  std::swap(begin_write_, other.begin_write_);
  std::swap(commit_, other.commit_);
  return *this;
}

Database::~Database() {
  sqlite3_close_v2(db_);  // v2: statements that are destroyed later still may
}

void Database::exec(const char* sql) {
  const int code = sqlite3_exec(db_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) throw error_of(db_, code);
}

std::int64_t Database::integer(const char* sql) {
  Statement statement = prepare(sql);
  return statement.step() ? statement.integer(0) : 0;
}

std::string Database::text(const char* sql) {
  Statement statement = prepare(sql);
  return statement.step() ? std::string(statement.text(0)) : std::string();
}

Transaction::Transaction(Database& db, Kind kind) : db_(db) {
  if (!db_.commit_) {
    // IMMEDIATE: a writer that had to upgrade a read lock could be refused half-way.
    db_.begin_write_ = db_.prepare("BEGIN IMMEDIATE");
    db_.begin_read_ = db_.prepare("BEGIN");
    db_.commit_ = db_.prepare("COMMIT");
  }
  (kind == Kind::write ? db_.begin_write_ : db_.begin_read_).run();
}

Transaction::~Transaction() {
  // Some failures have rolled back already; a second ROLLBACK would only report that.
  if (open_ && sqlite3_get_autocommit(db_.handle()) == 0) {
    sqlite3_exec(db_.handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

void Transaction::commit() {
  db_.commit_.run();
  open_ = false;
}

}  // namespace weir::ledger::sqlite
