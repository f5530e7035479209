#include "http/problem.hpp"

#include "http/reply_head.hpp"

namespace weir::http {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

bool continues(std::string_view text, std::size_t at) {
  return at < text.size() && (static_cast<unsigned char>(text[at]) & 0xC0U) == 0x80U;
}

// Bytes of the well-formed UTF-8 sequence that starts at text[at], or 0 (Unicode 15, table 3-7).
std::size_t sequence_length(std::string_view text, std::size_t at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  if (lead >= 0xC2 && lead <= 0xDF) return continues(text, at + 1) ? 2 : 0;
  if (!continues(text, at + 1)) return 0;
  const auto second = static_cast<unsigned char>(text[at + 1]);
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

void append_escape(std::string& out, char c) {
  static constexpr char kHex[] = "0123456789abcdef";
  switch (c) {
    case '"':
      out += "\\\"";
      break;
    case '\\':
      out += "\\\\";
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      out += "\\u00";
      out += kHex[static_cast<unsigned char>(c) >> 4U];
      out += kHex[static_cast<unsigned char>(c) & 15U];
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  std::size_t copied = 0;  // everything before is in `out`
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
      ++i;
      continue;
    }
    const std::size_t length = c >= 0x80 ? sequence_length(text, i) : 0;
    if (length > 0) {
      i += length;
      continue;
    }
    out.append(text, copied, i - copied);
    if (c >= 0x80) {
      out += kReplacement;
    } else {
      append_escape(out, text[i]);
    }
    copied = ++i;
  }
  out.append(text, copied);
  out += '"';
}

std::string to_json(const Problem& problem) {
  std::string out = R"({"type":)";
  append_json_string(out, problem.type);
  out += R"(,"title":)";
  append_json_string(out, problem.title.empty() ? reason_phrase(problem.status) : problem.title);
  out += R"(,"status":)";
  out += std::to_string(problem.status);
  if (!problem.detail.empty()) {
    out += R"(,"detail":)";
    append_json_string(out, problem.detail);
  }
  if (!problem.errors.empty()) {
    out += R"(,"errors":[)";
    for (const auto& error : problem.errors) {
      if (&error != &problem.errors.front()) out += ',';
      out += R"({"pointer":)";
      append_json_string(out, error.pointer);
      out += R"(,"detail":)";
      append_json_string(out, error.detail);
      out += '}';
    }
    out += ']';
  }
  out += '}';
  return out;
}

void reply(Exchange& exchange, const Problem& problem) {
  const std::string body = to_json(problem);
  exchange.reply({.status = problem.status,
                  .content_type = "application/problem+json",
                  .body = body,
                  .headers = problem.headers});
}

}  // namespace weir::http
