#include "text/printable.hpp"

namespace weir {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

unsigned char byte_at(std::string_view text, std::size_t at) {
  return at < text.size() ? static_cast<unsigned char>(text[at]) : 0;
}

bool continues(std::string_view text, std::size_t at) {
  return (byte_at(text, at) & 0xC0U) == 0x80U;
}

// Of a well-formed sequence of two or three bytes.
unsigned code_point(std::string_view text, std::size_t at, std::size_t length) {
  unsigned value = byte_at(text, at) & (length == 2 ? 0x1fU : 0x0fU);
  for (std::size_t i = 1; i < length; ++i) value = value << 6U | (byte_at(text, at + i) & 0x3fU);
  return value;
}

bool is_unprintable(unsigned point) {
  return point < 0x20 || (point >= 0x7f && point <= 0x9f) || point == 0x061c || point == 0x200e ||
         point == 0x200f || (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

void append_hex(std::string& out, unsigned value, int digits) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4)
    out += kHex[value >> static_cast<unsigned>(shift) & 15U];
}

// Calls `escape(out, at, length)` for what must not be shown.
template <class Escape>
std::string escaped(std::string_view text, const Escape& escape) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    std::size_t length = unprintable_length(text, at);
    if (length > 0) {
      escape(out, at, length);
    } else {
      length = utf8_length(text, at);
      out += text.substr(at, length);
    }
    at += length;
  }
  return out;
}

std::string shown(std::string_view text, bool lines) {
  return escaped(text, [&](std::string& out, std::size_t at, std::size_t length) {
    if (text[at] == '\n') {
      out += lines ? "\n" : "\\n";
    } else if (text[at] == '\t') {
      out += "\\t";
    } else {
      for (std::size_t i = at; i < at + length; ++i) append_hex(out += "\\x", byte_at(text, i), 2);
    }
  });
}

}  // namespace

std::size_t utf8_length(std::string_view text, std::size_t at) {
  const unsigned lead = byte_at(text, at);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return continues(text, at + 1) ? 2 : 0;
  if (!continues(text, at + 1)) return 0;
  const unsigned second = byte_at(text, at + 1);
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (lead == 0xE0 && second < 0xA0) return 0;  // overlong
    if (lead == 0xED && second > 0x9F) return 0;  // surrogates
    return continues(text, at + 2) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (lead == 0xF0 && second < 0x90) return 0;  // overlong
    if (lead == 0xF4 && second > 0x8F) return 0;  // above U+10FFFF
    return continues(text, at + 2) && continues(text, at + 3) ? 4 : 0;
  }
  return 0;
}

std::size_t unprintable_length(std::string_view text, std::size_t at) {
  const unsigned lead = byte_at(text, at);
  if (lead < 0x80) return is_unprintable(lead) ? 1 : 0;
  const std::size_t length = utf8_length(text, at);
  if (length == 0) return 1;
  return length < 4 && is_unprintable(code_point(text, at, length)) ? length : 0;
}

std::string printable(std::string_view text) {
  return shown(text, false);
}

std::string printable_lines(std::string_view text) {
  return shown(text, true);
}

std::string printable_json(std::string_view json) {
  return escaped(json, [&](std::string& out, std::size_t at, std::size_t length) {
    if (length > 1 || json[at] == '\x7f') {
      append_hex(out += "\\u", length > 1 ? code_point(json, at, length) : 0x7f, 4);
    } else {
      out += json[at];  // between its values; within them they are escaped
    }
  });
}

}  // namespace weir
