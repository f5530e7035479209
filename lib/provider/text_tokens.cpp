#include "provider/text_tokens.hpp"

#include <algorithm>
#include <array>
#include <iterator>

namespace weir::provider {
namespace {

constexpr std::int16_t kLetter = 200;       // and the space before a word
constexpr std::int16_t kDigit = 1000;       // Gemma's tokenizer keeps digits apart
constexpr std::int16_t kPunctuation = 750;  // ASCII; runs of it merge
constexpr std::int64_t kRare = 1000;
constexpr std::int64_t kStray = 1000;  // a byte that is no UTF-8

constexpr bool is_letter(unsigned char c) {
  return static_cast<unsigned char>((c | 0x20U) - 'a') < 26 || c <= ' ';
}
constexpr bool is_digit(unsigned char c) {
  return static_cast<unsigned char>(c - '0') < 10;
}

constexpr auto kAscii = [] {
  std::array<std::int16_t, 128> shares{};
  for (unsigned char c = 0; c < shares.size(); ++c)
    shares[c] = is_letter(c) ? kLetter : is_digit(c) ? kDigit : kPunctuation;
  return shares;
}();

// Text is taken in stretches of so many bytes. The loops over one count in bytes and without branches: so
// compilers do sixteen characters at a time.
constexpr std::size_t kStretchBytes = 128;
static_assert(kStretchBytes <= 255);

bool is_ascii(std::string_view stretch) {
  unsigned char all = 0;
  for (const char c : stretch) all |= static_cast<unsigned char>(c);
  return all < 0x80;
}

std::int64_t ascii_millitokens(std::string_view stretch) {
  std::uint8_t letters = 0, digits = 0;
  for (const char c : stretch) {
    letters = static_cast<std::uint8_t>(letters + is_letter(static_cast<unsigned char>(c)));
    digits = static_cast<std::uint8_t>(digits + is_digit(static_cast<unsigned char>(c)));
  }
  const auto punctuation = static_cast<std::int64_t>(stretch.size()) - letters - digits;
  return letters * kLetter + digits * kDigit + punctuation * kPunctuation;
}

// A block of characters up to and with `last`. Blocks follow each other.
struct Block {
  char32_t last;
  std::int64_t share;
};
constexpr Block kBlocks[] = {
    {0x036F, 1000},    // Latin with accents: each breaks its word; combining marks
    {0x03FF, 400},     // Greek
    {0x052F, 350},     // Cyrillic
    {0x058F, 600},     // Armenian
    {0x05FF, 550},     // Hebrew
    {0x08FF, 400},     // Arabic, Syriac, Thaana
    {0x09FF, 350},     // Devanagari, Bengali
    {0x0DFF, 500},     // other Indic scripts
    {0x0E7F, 420},     // Thai
    {0x0FFF, 750},     // Lao, Tibetan
    {0x109F, 500},     // Burmese
    {0x10FF, 430},     // Georgian
    {0x177F, 850},     // Jamo, Ethiopic, Cherokee and others
    {0x17FF, 550},     // Khmer
    {0x1DFF, kRare},   //
    {0x1EFF, 1000},    // Latin with more accents (Vietnamese)
    {0x1FFF, 400},     // Greek with accents
    {0x206F, 750},     // general punctuation
    {0x302F, kRare},   // symbols, radicals, CJK punctuation
    {0x30FF, 750},     // Hiragana, Katakana
    {0x9FFF, 1000},    // ideographs: one each, the upper side (0.7 to 0.9 were counted)
    {0xABFF, kRare},   //
    {0xD7FF, 800},     // Hangul syllables
    {0xFAFF, kRare},   // private use, compatibility ideographs
    {0xFDFF, 400},     // Arabic presentation forms
    {0xFFFF, kRare},   //
    {0x1EFFF, 3000},   // rare scripts: a token for each of three bytes
    {0x1FAFF, 1500},   // emoji
    {0x10FFFF, 3000},  // rare ideographs
};

// Shares of characters, looked up by block; neighbours mostly lie in the same one.
class Shares {
 public:
  std::int64_t of(char32_t c) {
    if (c < first_ || c > block_->last) {
      block_ = std::lower_bound(std::begin(kBlocks), std::end(kBlocks), c,
                                [](const Block& block, char32_t value) { return block.last < value; });
      first_ = block_ == std::begin(kBlocks) ? 0 : std::prev(block_)->last + 1;
    }
    return block_->share;
  }

 private:
  const Block* block_ = std::begin(kBlocks);
  char32_t first_ = 0;
};

// The character that begins at `at`, which is not ASCII, and its length; length 0 if it is no UTF-8.
struct Character {
  char32_t value = 0;
  std::size_t length = 0;
};
Character character_at(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const std::size_t length = lead >= 0xF0 && lead <= 0xF4   ? 4
                             : lead >= 0xE0 && lead <= 0xEF ? 3
                             : lead >= 0xC2 && lead <= 0xDF ? 2
                                                            : 0;
  if (length == 0 || at + length > text.size()) return {};
  char32_t value = lead & (0x7FU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[at + i]);
    if ((next & 0xC0U) != 0x80) return {};
    value = value << 6 | (next & 0x3FU);
  }
  return value <= 0x10FFFF ? Character{value, length} : Character{};
}

}  // namespace

std::int64_t text_millitokens(std::string_view text) {
  std::int64_t total = 0;
  Shares shares;
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view stretch = text.substr(at, kStretchBytes);
    const std::size_t end = at + stretch.size();
    if (is_ascii(stretch)) {
      total += ascii_millitokens(stretch);
      at = end;
    }
    while (at < end) {
      if (const auto byte = static_cast<unsigned char>(text[at]); byte < 0x80) {
        total += kAscii[byte];
        ++at;
        continue;
      }
      const Character character = character_at(text, at);
      total += character.length == 0 ? kStray : shares.of(character.value);
      at += std::max<std::size_t>(character.length, 1);
    }
  }
  return total;
}

}  // namespace weir::provider
