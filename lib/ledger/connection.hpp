// A reading connection, and what reports share: names and rows of calls.
#pragma once

#include <string>
#include <unordered_map>

#include "ledger/file.hpp"
#include "ledger/reader.hpp"

namespace weir::ledger {

class Reader::Connection {
 public:
  explicit Connection(const std::string& path) : db(open_for_reading(path)), identity(identity_of(path)) {}

  // "" if there is none. Valid as long as the connection.
  const std::string& name(NameId id);
  // 0 if it was never interned: no row has it.
  NameId id_of(std::string_view name);

  std::vector<UsageRow> usage(const UsageQuery& query);
  CallPage calls(const CallFilter& filter);

  // One snapshot, as long as it lives.
  class Reading {
   public:
    explicit Reading(Connection& c) : connection_(c), snapshot_(c.db, sqlite::Transaction::Kind::read) {
      connection_.reading = true;
    }
    ~Reading() { connection_.reading = false; }
    Reading(const Reading&) = delete;
    Reading& operator=(const Reading&) = delete;

   private:
    Connection& connection_;
    sqlite::Transaction snapshot_;
  };

  sqlite::Database db;
  bool reading = false;
  const std::optional<FileIdentity> identity;

 private:
  std::unordered_map<NameId, std::string> names_;
};

}  // namespace weir::ledger
