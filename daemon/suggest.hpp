// Guesses what somebody meant to type.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::daemon {

// The word nearest to `typed` by edit distance (insert, delete, replace, swap of neighbours; case counts
// nothing), if it is near enough to be meant: at most a third of its length, at least one. Empty if none is.
std::string_view nearest(std::string_view typed, const std::vector<std::string_view>& words);

// ` (did you mean "high"?)` with the blank before it, or nothing.
std::string did_you_mean(std::string_view typed, const std::vector<std::string_view>& words);

// "a", "a or b", "a, b or c"; each between quotation marks if `quoted`.
std::string list_words(const std::vector<std::string_view>& words, bool quoted,
                       std::string_view last = " or ");

}  // namespace weir::daemon
