// What came of reading the configuration again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace weir::api {

struct ReloadResult {
  enum class Kind : std::uint8_t {
    done,
    bad,    // the file has errors
    later,  // it cannot be done now: the ledger fails, or there is no file
  };
  Kind kind = Kind::done;
  std::string file;
  std::vector<std::string> changes;   // done: what changed, in words; empty: nothing
  std::vector<std::string> warnings;  // done: what takes effect only at the next start, and the file's own
  std::vector<std::string> errors;    // not done: why, "weir.toml:3:1: …"; the old configuration holds
};

}  // namespace weir::api
