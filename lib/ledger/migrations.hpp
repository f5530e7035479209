// The schema, as the ordered list of steps that lead to it. The n-th step (from 1) leads to schema version n,
// which the file keeps in PRAGMA user_version. Steps are only ever added.
#pragma once

#include <span>

namespace weir::ledger {

struct Migration {
  const char* name;  // of its file in schema/
  const char* sql;
};

std::span<const Migration> migrations();

}  // namespace weir::ledger
