// SQLite's C API with ownership and exceptions; no more than that.
//
// A Database and its Statements belong to one thread at a time: connections are opened without SQLite's own
// mutex. Every failure throws Error; a Statement that failed is reset, ready to be used again.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

struct sqlite3;
struct sqlite3_stmt;

namespace weir::ledger::sqlite {

struct Error : std::runtime_error {
  Error(int result_code, const std::string& what) : std::runtime_error(what), code(result_code) {}
  int code;  // extended
  [[nodiscard]] int primary() const { return code & 0xff; }
  [[nodiscard]] bool damaged() const;  // the file's content, not its disk, is at fault
};

class Statement {
 public:
  Statement() = default;
  Statement(sqlite3* db, const char* sql);
  Statement(Statement&& other) noexcept : statement_(std::exchange(other.statement_, nullptr)) {}
  Statement& operator=(Statement&& other) noexcept {
    std::swap(statement_, other.statement_);
    return *this;
  }
  ~Statement();

  // The first parameter has index 1, the first column 0. Text must outlive the steps that follow.
  void bind_at(int index, std::int64_t value);
  void bind_at(int index, std::string_view text);
  template <typename... Values>
  Statement& bind(const Values&... values) {
    return bind_row(0, values...);
  }
  // Of a statement that takes several rows: `row` from 0, each of as many parameters as there are values.
  template <typename... Values>
  Statement& bind_row(int row, const Values&... values) {
    int index = row * static_cast<int>(sizeof...(values));
    (bind_at(++index, values), ...);
    return *this;
  }

  bool step();  // true: there is a row
  void run();   // to its end
  void reset();
  // The next column of the row, from 0: reads in the order of the SELECT.
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] std::string_view text(int column) const;  // valid until the next step
  explicit operator bool() const { return statement_ != nullptr; }

 private:
  [[noreturn]] void fail(int code);
  sqlite3_stmt* statement_ = nullptr;
};

// Resets a statement when a scope is left, so that no read transaction stays open behind it.
class Resetting {
 public:
  explicit Resetting(Statement& statement) : statement_(statement) {}
  ~Resetting() { statement_.reset(); }
  Resetting(const Resetting&) = delete;
  Resetting& operator=(const Resetting&) = delete;

 private:
  Statement& statement_;
};

class Database {
 public:
  Database() = default;
  Database(const std::string& path, int flags);
  Database(Database&& other) noexcept { *this = std::move(other); }
  Database& operator=(Database&& other) noexcept;
  ~Database();

  void exec(const char* sql);
  void exec(const std::string& sql) { exec(sql.c_str()); }
  // The single integer, or text, that `sql` yields; 0 or "" if it yields no row.
  std::int64_t integer(const char* sql);
  std::string text(const char* sql);
  [[nodiscard]] Statement prepare(const char* sql) const { return {db_, sql}; }
  [[nodiscard]] sqlite3* handle() const { return db_; }
  explicit operator bool() const { return db_ != nullptr; }

 private:
  friend class Transaction;
  sqlite3* db_ = nullptr;
  Statement begin_read_, begin_write_, commit_;  // prepared with the first use
};

// Rolled back unless committed. A read transaction is one snapshot for all reads in it.
class Transaction {
 public:
  enum class Kind { read, write };
  Transaction(Database& db, Kind kind);
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  void commit();

 private:
  Database& db_;
  bool open_ = true;
};

}  // namespace weir::ledger::sqlite
