#include "telemetry/text.hpp"

#include <array>
#include <charconv>
#include <cmath>

namespace weir::telemetry {
namespace {

// Length of the valid UTF-8 sequence at the front of `text` (not empty); 0 if there is none.
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, and what lies beyond U+10FFFF.
  if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F)) return 0;
  if ((lead == 0xF0 && byte(1) < 0x90) || (lead == 0xF4 && byte(1) > 0x8F)) return 0;
  return length;
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) {
      out += "\xEF\xBF\xBD";
      text.remove_prefix(1);
      continue;
    }
    if (text[0] == '\\') {
      out += "\\\\";
    } else if (text[0] == '\n') {
      out += "\\n";
    } else if (text[0] == '"' && quotes) {
      out += "\\\"";
    } else {
      out += text.substr(0, length);
    }
    text.remove_prefix(length);
  }
}

}  // namespace

void append_help(std::string& out, std::string_view text) {
  append_escaped(out, text, false);
}

void append_label_value(std::string& out, std::string_view text) {
  append_escaped(out, text, true);
}

void append_number(std::string& out, std::int64_t value) {
  std::array<char, 24> text{};
  const auto written = std::to_chars(text.data(), text.data() + text.size(), value);
  out.append(text.data(), written.ptr);
}

void append_number(std::string& out, double value) {
  if (std::isnan(value)) {
    out += "NaN";
  } else if (std::isinf(value)) {
    out += value > 0 ? "+Inf" : "-Inf";
  } else if (std::fabs(value) < 1e15 && value == std::trunc(value)) {
    append_number(out, static_cast<std::int64_t>(value));
  } else {
    std::array<char, 32> text{};
    const auto written = std::to_chars(text.data(), text.data() + text.size(), value);
    out.append(text.data(), written.ptr);
  }
}

Scale::Scale(double factor) : factor_(factor), decimals_(-1) {
  double divisor = 1;  // powers of ten up to 1e22 are exact
  for (int decimals = 0; decimals <= 18; ++decimals, divisor *= 10) {
    if (factor != 1 / divisor) continue;
    decimals_ = decimals;
    divisor_ = static_cast<std::int64_t>(divisor);
  }
}

void Scale::append(std::string& out, std::int64_t value) const {
  if (decimals_ < 0) return append_number(out, static_cast<double>(value) * factor_);
  if (decimals_ == 0) return append_number(out, value);
  std::int64_t fraction = value % divisor_;
  if (value < 0) {
    out += '-';
    fraction = -fraction;
  }
  const std::int64_t whole = value / divisor_;
  append_number(out, whole < 0 ? -whole : whole);
  if (fraction == 0) return;
  std::array<char, 19> digits{};
  int length = decimals_;
  for (; fraction % 10 == 0; fraction /= 10) --length;
  out += '.';
  for (int i = length - 1; i >= 0; --i, fraction /= 10) {
    digits[static_cast<std::size_t>(i)] = static_cast<char>('0' + fraction % 10);
  }
  out.append(digits.data(), static_cast<std::size_t>(length));
}

void Scale::append(std::string& out, double value) const {
  // Dividing by an exact power of ten rounds once, multiplying by its inexact inverse twice.
  append_number(out, decimals_ < 0 ? value * factor_ : value / static_cast<double>(divisor_));
}

}  // namespace weir::telemetry
