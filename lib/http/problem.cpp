#include "http/problem.hpp"

#include <algorithm>

#include "http/reply_head.hpp"
#include "text/printable.hpp"

namespace weir::http {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

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
    if (c >= 0x20 && c < 0x7f && c != '"' && c != '\\') {
      ++i;
      continue;
    }
    const std::size_t length = c >= 0x80 ? utf8_length(text, i) : 1;
    const bool shown = c >= 0x80 && length > 0 && unprintable_length(text, i) == 0;
    if (!shown) {
      out.append(text, copied, i - copied);
      if (c < 0x80) {
        append_escape(out, text[i]);
      } else if (length == 0) {
        out += kReplacement;
      } else {
        out += printable_json(text.substr(i, length));
      }
      copied = i + std::max<std::size_t>(length, 1);
    }
    i += std::max<std::size_t>(length, 1);
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
