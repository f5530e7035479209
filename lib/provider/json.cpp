#include "provider/json.hpp"

#include <charconv>

namespace weir::provider::json {
namespace {

constexpr std::int64_t kMaxCount = std::int64_t{1} << 53;
constexpr std::size_t kMaxDepth = 64;

bool is_error_value(const std::optional<Element>& value) {
  return value && (value->is_object() || value->is_string());
}

std::optional<Element> error_in_object(Element answer) {
  if (const auto error = member(answer, "error"); is_error_value(error)) return error;
  for (const std::string_view wrapper : {"response", "interaction"}) {
    const auto inner = member(answer, wrapper);
    if (!inner) continue;
    if (const auto error = member(*inner, "error"); is_error_value(error)) return error;
  }
  // The error object itself: Google's status without its wrapper, or an OpenAI stream's error event.
  if (text(answer, "message").empty()) return std::nullopt;
  if (text(answer, "type") == "error") return answer;
  const auto code = member(answer, "code");
  if (code && count(*code).value_or(0) >= 400) return answer;
  return std::nullopt;
}

}  // namespace

std::optional<Element> member(Element parent, std::string_view key) {
  simdjson::dom::object object;
  Element value;
  if (parent.get(object) != simdjson::SUCCESS || object.at_key(key).get(value) != simdjson::SUCCESS ||
      value.is_null()) {
    return std::nullopt;
  }
  return value;
}

std::string_view text(Element parent, std::string_view key) {
  std::string_view value;
  const auto found = member(parent, key);
  if (!found || found->get(value) != simdjson::SUCCESS) return {};
  return value;
}

std::optional<std::int64_t> count(Element value) {
  std::int64_t number = 0;
  if (value.get(number) != simdjson::SUCCESS || number < 0 || number > kMaxCount) return std::nullopt;
  return number;
}

std::optional<std::int64_t> count(std::string_view digits) {
  std::uint64_t number = 0;
  const char* end = digits.data() + digits.size();
  const auto parsed = std::from_chars(digits.data(), end, number);
  if (parsed.ec != std::errc() || parsed.ptr != end || number > kMaxCount) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

std::optional<Element> error_in(Element answer) {
  simdjson::dom::array chunks;
  if (answer.get(chunks) != simdjson::SUCCESS) return error_in_object(answer);
  for (const Element chunk : chunks) {
    if (const auto error = error_in_object(chunk)) return error;
  }
  return std::nullopt;
}

std::optional<std::string> close_truncated(std::string_view cut) {
  std::string closers;       // innermost last
  std::string safe_closers;  // those open after the last complete value
  std::size_t safe = 0;      // where that value ends
  bool in_string = false;
  for (std::size_t i = 0; i < cut.size(); ++i) {
    const char c = cut[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    switch (c) {
      case '"':
        in_string = true;
        break;
      case '{':
        closers.push_back('}');
        break;
      case '[':
        closers.push_back(']');
        break;
      case '}':
      case ']':
        if (closers.empty() || closers.back() != c) return std::nullopt;
        closers.pop_back();
        safe = i + 1;
        safe_closers = closers;
        break;
      case ',':
        safe = i;
        safe_closers = closers;
        break;
      default:
        break;
    }
    if (closers.size() > kMaxDepth) return std::nullopt;
  }
  if (safe == 0) return std::nullopt;
  std::string whole(cut.substr(0, safe));
  whole.append(safe_closers.rbegin(), safe_closers.rend());
  return whole;
}

}  // namespace weir::provider::json
