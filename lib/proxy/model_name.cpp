#include "proxy/model_name.hpp"

#include "http/problem.hpp"

namespace weir::proxy {
namespace {

// From the quote at `at` to behind the closing one; npos if there is none.
std::size_t string_end(std::string_view text, std::size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '\\') {
      ++at;
    } else if (text[at] == '"') {
      return at + 1;
    }
  }
  return std::string_view::npos;
}

std::size_t skip_blanks(std::string_view text, std::size_t at) {
  while (at < text.size() && (text[at] == ' ' || text[at] == '\t' || text[at] == '\r' || text[at] == '\n'))
    ++at;
  return at;
}

}  // namespace

std::optional<std::string> with_model(std::string_view body, std::string_view model) {
  std::string out;
  std::size_t copied = 0;
  int depth = 0;
  bool key = false;  // the next string at depth 1 is a member's name
  for (std::size_t at = 0; at < body.size(); ++at) {
    switch (body[at]) {
      case '{':
      case '[':
        if (++depth == 1 && body[at] == '[') return std::nullopt;
        key = depth == 1;
        break;
      case '}':
      case ']':
        --depth;
        break;
      case ',':
        key = depth == 1;
        break;
      case '"': {
        const std::size_t end = string_end(body, at);
        if (end == std::string_view::npos) return std::nullopt;
        const bool named = depth == 1 && key && body.substr(at, end - at) == "\"model\"";
        key = false;
        at = end - 1;
        if (!named) break;
        std::size_t value = skip_blanks(body, end);
        if (value >= body.size() || body[value] != ':') return std::nullopt;
        value = skip_blanks(body, value + 1);
        if (value >= body.size() || body[value] != '"') return std::nullopt;
        const std::size_t value_end = string_end(body, value);
        if (value_end == std::string_view::npos) return std::nullopt;
        out.append(body, copied, value - copied);
        http::append_json_string(out, model);
        copied = value_end;
        at = value_end - 1;
        break;
      }
      default:
        break;
    }
  }
  if (copied == 0) return std::nullopt;
  return out.append(body, copied);
}

}  // namespace weir::proxy
