#include "http/uri.hpp"

namespace weir::http {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

// False at a broken escape if `strict`; else it is kept.
bool decode(std::string_view text, bool plus_is_space, bool strict, std::string& out) {
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus_is_space) {
      out += ' ';
    } else if (text[i] != '%') {
      out += text[i];
    } else {
      const int high = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      if (high >= 0 && low >= 0) {
        out += static_cast<char>(high * 16 + low);
        i += 2;
      } else if (strict) {
        return false;
      } else {
        out += '%';
      }
    }
  }
  return true;
}

std::string decode_query(std::string_view text) {
  std::string out;
  decode(text, true, false, out);
  return out;
}

// Takes the next "name=value" off `query`; empty pieces ("a&&b") are skipped.
bool next_param(std::string_view& query, std::string_view& name, std::string_view& value) {
  while (!query.empty()) {
    const auto piece = query.substr(0, query.find('&'));
    query.remove_prefix(piece.size() < query.size() ? piece.size() + 1 : piece.size());
    if (piece.empty()) continue;
    const auto equals = piece.find('=');
    name = piece.substr(0, equals);
    value = equals == std::string_view::npos ? std::string_view() : piece.substr(equals + 1);
    return true;
  }
  return false;
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text) {
  std::string out;
  if (!decode(text, false, true, out)) return std::nullopt;
  return out;
}

std::optional<std::string> query_param(std::string_view query, std::string_view name) {
  std::string_view key, value;
  while (next_param(query, key, value)) {
    if (key == name || decode_query(key) == name) return decode_query(value);
  }
  return std::nullopt;
}

std::vector<std::pair<std::string, std::string>> query_params(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> params;
  std::string_view key, value;
  while (next_param(query, key, value)) params.emplace_back(decode_query(key), decode_query(value));
  return params;
}

}  // namespace weir::http
