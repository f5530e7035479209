// Texts from outside, on their way to a terminal or a log: nothing in them moves a cursor, ends a line, or
// turns the direction of what stands around it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir {

// Bytes of the well-formed UTF-8 sequence that begins at text[at]; 0: none does (Unicode 15, table 3-7).
std::size_t utf8_length(std::string_view text, std::size_t at);

// Bytes of what must not be shown and begins at text[at]; 0: it may be. That is a control character (U+0000
// to U+001F, U+007F to U+009F), a line or paragraph separator (U+2028, U+2029), what sets the direction of
// text (Unicode's Bidi_Control), and a byte that is no UTF-8: a terminal of another encoding may obey it.
std::size_t unprintable_length(std::string_view text, std::size_t at);

// With all of these as "\n", "\t", "\x1b": one line.
std::string printable(std::string_view text);
// The same, but lines end where they do.
std::string printable_lines(std::string_view text);
// JSON that was written without caring, with those beyond ASCII as "\u009b": it means the same.
std::string printable_json(std::string_view json);

}  // namespace weir
