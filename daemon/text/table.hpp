// A text table that fits its terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace weir::daemon {

enum class Style : std::uint8_t { plain, dim, bold, good, warning, bad };

struct Look {
  std::size_t width = 0;  // of the terminal; 0: as wide as it gets
  bool colour = false;
  bool unicode = true;  // blocks and "…"; else ASCII
};

struct Cell {
  std::string text;  // UTF-8, every code point one column wide; what is not printable is shown escaped
  Style style = Style::plain;
};

struct Column {
  std::string title;
  bool right = false;  // align
  int drop = 0;        // where the width does not suffice, columns go in this order, from 1; 0: stays
  std::size_t least =
      0;  // may be cut down to this width (in the middle, where the least is lost); 0: is not cut
  std::size_t reserve = 0;  // at least this wide, so that a live view does not jump
};

// Title line and rows, two blanks between columns, no blanks at line ends. First cuts columns that may be
// cut, the widest first; then drops; then cuts further, to four columns.
std::string render_table(const std::vector<Column>& columns, const std::vector<std::vector<Cell>>& rows,
                         const Look& look);

// Without their ends.
std::vector<std::string> lines_of(std::string_view text);

// Width in columns.
std::size_t display_width(std::string_view utf8);
// At most `width` columns; the middle becomes "…" ("..." without Unicode).
std::string cut_middle(std::string_view utf8, std::size_t width, const Look& look);
std::string paint(std::string_view text, Style style, const Look& look);

// At most `width` columns; the end becomes "…" ("..." without Unicode). Width 0 cuts nothing.
std::string cut_end(std::string_view utf8, std::size_t width, const Look& look);

struct BarParts {
  double ours = 0, elsewhere = 0;  // used, by us and by others
  double held = 0;
  double amount = 0;
};
// Used, used elsewhere, held and free parts; a part above nothing shows at least one column, and the bar is
// full only at the limit.
std::string bar(const BarParts& parts, std::size_t width, const Look& look);

}  // namespace weir::daemon
