#include "time/rfc3339.hpp"

#include <algorithm>

namespace weir {
namespace {

char* write_digits(char* out, unsigned value, int width) {
  for (int i = width - 1; i >= 0; --i) {
    out[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  return out + width;
}

// Reads exactly `width` digits from the front of `text`.
std::optional<int> take_digits(std::string_view& text, std::size_t width) {
  if (text.size() < width) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < width; ++i) {
    if (text[i] < '0' || text[i] > '9') return std::nullopt;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(width);
  return value;
}

bool take(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

// Microseconds of ".123456789"; digits after the sixth are dropped.
std::optional<Micros> take_fraction(std::string_view& text) {
  if (!take(text, '.')) return Micros(0);
  std::int64_t micros = 0;
  int digits = 0;
  while (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    if (digits++ < 6) micros = micros * 10 + (text.front() - '0');
    text.remove_prefix(1);
  }
  if (digits == 0) return std::nullopt;
  for (int i = digits; i < 6; ++i) micros *= 10;
  return Micros(micros);
}

std::optional<std::chrono::minutes> take_offset(std::string_view& text) {
  if (take(text, 'Z') || take(text, 'z')) return std::chrono::minutes(0);
  const bool west = !text.empty() && text.front() == '-';
  if (!take(text, '+') && !take(text, '-')) return std::nullopt;
  const auto hours = take_digits(text, 2);
  if (!hours || *hours > 23 || !take(text, ':')) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  const std::chrono::minutes east(*hours * 60 + *minutes);
  return west ? -east : east;
}

}  // namespace

char* write_rfc3339(char* out, WallTime at) {
  using namespace std::chrono;
  const auto day = floor<days>(at);
  const year_month_day ymd(day);
  const auto in_day = floor<milliseconds>(at - day).count();
  out = write_digits(out, static_cast<unsigned>(std::clamp(static_cast<int>(ymd.year()), 0, 9999)), 4);
  *out++ = '-';
  out = write_digits(out, static_cast<unsigned>(ymd.month()), 2);
  *out++ = '-';
  out = write_digits(out, static_cast<unsigned>(ymd.day()), 2);
  *out++ = 'T';
  out = write_digits(out, static_cast<unsigned>(in_day / 3'600'000), 2);
  *out++ = ':';
  out = write_digits(out, static_cast<unsigned>(in_day / 60'000 % 60), 2);
  *out++ = ':';
  out = write_digits(out, static_cast<unsigned>(in_day / 1'000 % 60), 2);
  *out++ = '.';
  out = write_digits(out, static_cast<unsigned>(in_day % 1'000), 3);
  *out++ = 'Z';
  return out;
}

std::string to_rfc3339(WallTime at) {
  char text[24];
  return {text, write_rfc3339(text, at)};
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  const auto year_number = take_digits(text, 4);
  if (!year_number || !take(text, '-')) return std::nullopt;
  const auto month_number = take_digits(text, 2);
  if (!month_number || !take(text, '-')) return std::nullopt;
  const auto day_number = take_digits(text, 2);
  if (!day_number) return std::nullopt;
  const year_month_day date(year(*year_number), month(static_cast<unsigned>(*month_number)),
                            day(static_cast<unsigned>(*day_number)));
  if (!date.ok()) return std::nullopt;
  WallTime at = sys_days(date);
  if (text.empty()) return at;

  if (!take(text, 'T') && !take(text, 't') && !take(text, ' ')) return std::nullopt;
  const auto hour_number = take_digits(text, 2);
  if (!hour_number || *hour_number > 23 || !take(text, ':')) return std::nullopt;
  const auto minute_number = take_digits(text, 2);
  if (!minute_number || *minute_number > 59 || !take(text, ':')) return std::nullopt;
  const auto second_number = take_digits(text, 2);
  if (!second_number || *second_number > 60) return std::nullopt;  // 60: a leap second
  const auto fraction = take_fraction(text);
  if (!fraction) return std::nullopt;
  const auto offset = take_offset(text);
  if (!offset || !text.empty()) return std::nullopt;
  return at + hours(*hour_number) + minutes(*minute_number) + std::chrono::seconds(*second_number) +
         *fraction - *offset;
}

}  // namespace weir
