// Texts of an upstream, made fit to be stored and shown. Internal to this room.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::provider {

// At most `max_bytes` of `text`, valid UTF-8, with "[redacted]" in place of whatever looks like a credential:
// what follows "AIza", "AQ.", "ya29.", "sk-", "gsk_", "Bearer ", "key=", "key:" and the like, and long runs
// that mix digits, capitals and small letters. Redacts before it cuts, so that no half of a key is left.
std::string presentable(std::string_view text, std::size_t max_bytes);

}  // namespace weir::provider
