#include "provider/redact.hpp"

#include <algorithm>
#include <cctype>

#include <simdjson.h>

namespace weir::provider {
namespace {

// Enough of a text to fill any allowance after redaction; bounds the work on a huge one.
constexpr std::size_t kReadBytes = 8192;
// No name of a quota, model or project that mixes digits and both cases is so long.
constexpr std::size_t kOpaqueRun = 32;
constexpr std::string_view kRedacted = "[redacted]";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool in_key(char c) {
  return is_digit(c) || is_upper(c) || is_lower(c) || c == '-' || c == '_';
}
// Bearer tokens and base64 use more.
bool in_secret(char c) {
  return in_key(c) || c == '.' || c == '+' || c == '/' || c == '=' || c == '~' || c == '*';
}

// "…key=", "…key:" (api_key:, x-goog-api-key:), "Bearer ": what follows is secret, after blanks and quotes.
bool announces_secret(std::string_view before) {
  while (!before.empty() &&
         (before.back() == ' ' || before.back() == '"' || before.back() == '\'' || before.back() == '\\')) {
    before.remove_suffix(1);
  }
  std::string tail(before.substr(before.size() - std::min<std::size_t>(before.size(), 6)));
  std::transform(tail.begin(), tail.end(), tail.begin(), [](unsigned char c) { return std::tolower(c); });
  const std::string_view end = tail;
  return end.ends_with("key=") || end.ends_with("key:") || end.ends_with("bearer") || end.ends_with("key\":");
}

bool is_secret(std::string_view run) {
  for (const std::string_view start : {"AIza", "AQ.", "ya29.", "sk-", "sk_", "gsk_", "pk-", "xai-", "hf_"}) {
    if (run.starts_with(start)) return true;
  }
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= run.size(); ++i) {
    if (i < run.size() && in_key(run[i])) continue;
    const std::string_view word = run.substr(begin, i - begin);
    if (word.find("AIza") != std::string_view::npos) return true;
    if (word.size() >= kOpaqueRun && std::any_of(word.begin(), word.end(), is_digit) &&
        std::any_of(word.begin(), word.end(), is_upper) && std::any_of(word.begin(), word.end(), is_lower)) {
      return true;
    }
    begin = i + 1;
  }
  return false;
}

std::string redacted(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  std::size_t at = 0;
  while (at < text.size()) {
    if (!in_secret(text[at])) {
      out.push_back(text[at++]);
      continue;
    }
    std::size_t end = at;
    // A run ends behind '=' when a name stands before it ("key=…"), so that the value is judged by itself.
    while (end < text.size() && in_secret(text[end]) && !(end > at && text[end - 1] == '=')) ++end;
    const std::string_view run = text.substr(at, end - at);
    if (is_secret(run) || announces_secret(text.substr(0, at))) {
      out.append(kRedacted);
    } else {
      out.append(run);
    }
    at = end;
  }
  return out;
}

}  // namespace

std::string presentable(std::string_view text, std::size_t max_bytes) {
  std::string out = redacted(text.substr(0, kReadBytes));
  if (out.size() > max_bytes) {
    std::size_t end = max_bytes;
    while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xC0) == 0x80) --end;  // not inside a character
    out.resize(end);
  }
  if (!simdjson::validate_utf8(out)) {
    std::replace_if(
        out.begin(), out.end(), [](char c) { return (c & 0x80) != 0; }, '?');
  }
  return out;
}

}  // namespace weir::provider
