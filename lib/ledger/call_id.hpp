// The public id of a call: its ledger key as 16 hexadecimal digits, so it needs no index of its own and sorts
// by time.
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>

#include "ledger/records.hpp"

namespace weir::ledger {

inline void append_id(std::string& out, CallId id) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4)
    out += kDigits[(static_cast<std::uint64_t>(id) >> shift) & 0xf];
}

inline std::optional<CallId> parse_id(std::string_view text) {
  std::uint64_t id = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), id, 16);
  if (text.size() != 16 || read.ec != std::errc() || read.ptr != text.data() + text.size())
    return std::nullopt;
  if (id > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
  return static_cast<CallId>(id);
}

}  // namespace weir::ledger
