#include "daemon/text/table.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "text/printable.hpp"

namespace weir::daemon {
namespace {

constexpr std::size_t kGap = 2;
constexpr std::size_t kBarest = 4;  // what is left of a name where nothing else helps
constexpr std::size_t kToLeast = std::numeric_limits<std::size_t>::max();

bool starts_code_point(char c) {
  return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
}

// Byte offset of the code point number `index`.
std::size_t offset_of(std::string_view utf8, std::size_t index) {
  std::size_t at = 0;
  for (; at < utf8.size(); ++at) {
    if (starts_code_point(utf8[at]) && index-- == 0) break;
  }
  return at;
}

std::size_t sum(const std::vector<std::size_t>& widths, const std::vector<bool>& shown) {
  std::size_t total = 0;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    if (shown[i]) total += widths[i] + (total > 0 ? kGap : 0);
  }
  return total;
}

void fit(const std::vector<Column>& columns, std::size_t width, std::vector<std::size_t>& widths,
         std::vector<bool>& shown) {
  if (width == 0) return;
  // The widest first, so that short names stay whole. Columns stop at their least, or at `floor` if that is
  // less.
  const auto cut = [&](std::size_t floor) {
    while (sum(widths, shown) > width) {
      std::size_t widest = columns.size();
      for (std::size_t i = 0; i < columns.size(); ++i) {
        if (!shown[i] || columns[i].least == 0 || widths[i] <= std::min(columns[i].least, floor)) continue;
        if (widest == columns.size() || widths[i] > widths[widest]) widest = i;
      }
      if (widest == columns.size()) return;
      --widths[widest];
    }
  };
  const std::vector<std::size_t> natural = widths;
  cut(kToLeast);
  for (int turn = 1; turn <= static_cast<int>(columns.size()) && sum(widths, shown) > width; ++turn) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].drop == turn) shown[i] = false;
    }
    widths = natural;  // the room that is won goes to the columns that were cut
    cut(kToLeast);
  }
  cut(kBarest);
}

void append_line(std::string& out, const std::vector<Column>& columns, const std::vector<Cell>& cells,
                 const std::vector<std::size_t>& widths, const std::vector<bool>& shown, const Look& look) {
  std::string line;
  std::size_t blanks = 0;  // owed before the next text: a line ends without any
  bool first = true;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (!shown[i]) continue;
    if (!first) blanks += kGap;
    first = false;
    const std::string text = cut_middle(cells[i].text, widths[i], look);
    const std::size_t pad = widths[i] - display_width(text);
    if (columns[i].right) blanks += pad;
    if (!text.empty()) {
      line.append(blanks, ' ');
      blanks = 0;
      line += paint(text, cells[i].style, look);
    }
    if (!columns[i].right) blanks += pad;
  }
  out += line;
  out += '\n';
}

}  // namespace

std::size_t display_width(std::string_view utf8) {
  return static_cast<std::size_t>(std::count_if(utf8.begin(), utf8.end(), starts_code_point));
}

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string cut_middle(std::string_view utf8, std::size_t width, const Look& look) {
  const std::size_t length = display_width(utf8);
  if (length <= width) return std::string(utf8);
  const std::string_view mark = look.unicode ? "…" : "...";
  const std::size_t mark_width = display_width(mark);
  if (width <= mark_width) return std::string(utf8.substr(0, offset_of(utf8, width)));
  // The end tells limits of one model apart ("…/requests/day"): it gets the bigger half.
  const std::size_t front = (width - mark_width) / 3;
  const std::size_t back = width - mark_width - front;
  std::string out(utf8.substr(0, offset_of(utf8, front)));
  out += mark;
  out += utf8.substr(offset_of(utf8, length - back));
  return out;
}

std::string paint(std::string_view text, Style style, const Look& look) {
  if (!look.colour || style == Style::plain) return std::string(text);
  std::string_view code;
  switch (style) {
    case Style::plain:
      break;
    case Style::dim:
      code = "2";
      break;
    case Style::bold:
      code = "1";
      break;
    case Style::good:
      code = "32";
      break;
    case Style::warning:
      code = "33";
      break;
    case Style::bad:
      code = "31";
      break;
  }
  return fmt::format("\x1b[{}m{}\x1b[0m", code, text);
}

std::string cut_end(std::string_view utf8, std::size_t width, const Look& look) {
  if (width == 0 || display_width(utf8) <= width) return std::string(utf8);
  const std::string_view mark = look.unicode ? "…" : "...";
  const std::size_t mark_width = display_width(mark);
  if (width <= mark_width) return std::string(utf8.substr(0, offset_of(utf8, width)));
  return std::string(utf8.substr(0, offset_of(utf8, width - mark_width))) + std::string(mark);
}

std::string bar(const BarParts& parts, std::size_t width, const Look& look) {
  const double used = std::max(0.0, parts.ours) + parts.elsewhere;
  const auto columns_of = [&](double value) {
    if (value <= 0) return std::size_t{0};
    if (parts.amount <= 0 || value >= parts.amount) return width;
    // Full only when it is full.
    const auto columns =
        static_cast<std::size_t>(std::lround(value / parts.amount * static_cast<double>(width)));
    return std::clamp<std::size_t>(columns, 1, width - 1);
  };
  const bool full = parts.amount <= 0 || used + parts.held >= parts.amount;
  const std::size_t taken = full ? width : columns_of(used + parts.held);
  // What comes before in the bar keeps a column, where there are two or it is the greater part.
  const auto after = [&](double before, double value, std::size_t room) {
    const bool keeps = before > 0 && room > 0 && (room > 1 || before >= value);
    return std::min(room - (keeps ? 1 : 0), columns_of(value));
  };
  const std::size_t held = after(used, parts.held, taken);
  const std::size_t elsewhere = after(parts.ours, parts.elsewhere, taken - held);
  std::string out;
  const auto append = [&](std::size_t count, std::string_view block, std::string_view ascii) {
    for (std::size_t i = 0; i < count; ++i) out += look.unicode ? block : ascii;
  };
  append(taken - held - elsewhere, "█", "#");
  append(elsewhere, "▓", "%");
  append(held, "▒", "+");
  append(width - taken, "░", ".");
  return out;
}

std::string render_table(const std::vector<Column>& columns, const std::vector<std::vector<Cell>>& rows,
                         const Look& look) {
  std::vector<std::vector<Cell>> lines = rows;
  for (auto& line : lines) {
    for (Cell& cell : line) cell.text = printable(cell.text);
  }
  std::vector<std::size_t> widths;
  widths.reserve(columns.size());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    std::size_t width = std::max(columns[i].reserve, display_width(columns[i].title));
    for (const auto& row : lines) width = std::max(width, display_width(row[i].text));
    widths.push_back(width);
  }
  std::vector<bool> shown(columns.size(), true);
  fit(columns, look.width, widths, shown);

  std::string out;
  std::vector<Cell> titles;
  titles.reserve(columns.size());
  for (const Column& column : columns) titles.push_back({column.title, Style::dim});
  append_line(out, columns, titles, widths, shown, look);
  for (const auto& row : lines) append_line(out, columns, row, widths, shown, look);
  return out;
}

}  // namespace weir::daemon
