// Reads one table of a TOML document: takes the keys that are asked for, checks types and ranges, and reports
// in the end every key that nobody asked for. A wrong value leaves what the caller had (the default) and one
// finding with its place, so that reading goes on and all errors show at once.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

#include "daemon/config.hpp"

namespace weir::daemon {

struct Place {
  int line = 0, column = 0;
};

// What was found so far, in one file.
class Findings {
 public:
  explicit Findings(std::string file) : file_(std::move(file)) {}

  void error(Place place, std::string message);
  void warning(Place place, std::string message);
  // By place; empties this.
  std::vector<ConfigError> take_errors();
  std::vector<ConfigError> take_warnings();

 private:
  std::string file_;
  std::vector<ConfigError> errors_, warnings_;
};

class TomlTable {
 public:
  // `title` names the table in messages: "[server]"; "" = the document. Both references must outlive this.
  TomlTable(const toml::table& table, std::string title, Findings& findings);

  // Each takes a key: true if it is there and right, then `out` holds it.
  bool text(std::string_view key, std::string& out);  // not empty
  bool boolean(std::string_view key, bool& out);
  bool integer(std::string_view key, std::int64_t& out, std::int64_t least, std::int64_t most);
  bool count(std::string_view key, std::size_t& out, std::int64_t least, std::int64_t most);
  bool number(std::string_view key, double& out, double least, double most);  // integers too
  bool date(std::string_view key, std::string& out);                          // "2026-11-22", quoted or not
  bool texts(std::string_view key, std::vector<std::string>& out);            // none empty, none twice
  // Index of the text among `words`.
  bool choice(std::string_view key, const std::vector<std::string_view>& words, std::size_t& out);
  // A table, and the tables of [[key]].
  const toml::table* table(std::string_view key);
  std::vector<const toml::table*> tables(std::string_view key);
  // Anything; null if absent.
  const toml::node* take(std::string_view key);

  // Reports the keys that were not taken. Call once, last.
  void finish();

  [[nodiscard]] Place place() const;
  [[nodiscard]] Place place(std::string_view key) const;  // of its value; the table's if absent
  [[nodiscard]] Place place(std::string_view key, std::size_t index) const;  // of a list's element
  // "amount must be …" at the key's value.
  void error(std::string_view key, const std::string& message) { findings_.error(place(key), message); }
  // `missing amount in [[projects.limits]]: …` at the table.
  void missing(std::string_view key, std::string_view what_for);
  [[nodiscard]] bool has(std::string_view key) const { return table_.contains(key); }

 private:
  void wrong_type(std::string_view key, std::string_view wanted, const toml::node& found);

  const toml::table& table_;
  std::string title_;
  Findings& findings_;
  std::vector<std::string> taken_;
};

}  // namespace weir::daemon
