#include "text/suggest.hpp"

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

namespace weir {
namespace {

bool same_letter(char a, char b) {
  return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
}

// Optimal string alignment: two rows of the table before the one under way.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> older, old(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) old[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = old[j - 1] + (same_letter(a[i - 1], b[j - 1]) ? 0 : 1);
      row[j] = std::min({replaced, old[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) && same_letter(a[i - 2], b[j - 1])) {
        row[j] = std::min(row[j], older[j - 2] + 1);
      }
    }
    older = old;
    old = row;
  }
  return old[b.size()];
}

}  // namespace

std::string_view nearest(std::string_view typed, const std::vector<std::string_view>& words) {
  std::string_view best;
  std::size_t best_distance = 0;
  for (const std::string_view word : words) {
    const std::size_t most = std::max<std::size_t>(1, word.size() / 3);
    if (typed.size() > word.size() + most) continue;  // however long it is
    const std::size_t d = distance(typed, word);
    if (d > most) continue;
    if (best.empty() || d < best_distance) {
      best = word;
      best_distance = d;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view typed, const std::vector<std::string_view>& words) {
  const std::string_view word = nearest(typed, words);
  return word.empty() ? std::string() : fmt::format(" (did you mean \"{}\"?)", word);
}

std::string list_words(const std::vector<std::string_view>& words, bool quoted, std::string_view last) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? last : ", ";
    if (quoted) out += '"';
    out += words[i];
    if (quoted) out += '"';
  }
  return out;
}

}  // namespace weir
