#include "text/name.hpp"

namespace weir {
namespace {

// As UTF-8: the control characters U+0080 to U+009F, which some terminals obey, the line separators, and what
// turns the direction of the text around it.
bool begins_with_control(std::string_view rest) {
  const auto at = [rest](std::size_t i) { return i < rest.size() ? static_cast<unsigned char>(rest[i]) : 0; };
  if (at(0) < 0x20 || at(0) == 0x7f) return true;
  if (at(0) == 0xc2) return at(1) >= 0x80 && at(1) <= 0x9f;
  if (at(0) != 0xe2) return false;
  if (at(1) == 0x80) return at(2) >= 0xa8 && at(2) <= 0xae;
  return at(1) == 0x81 && at(2) >= 0xa6 && at(2) <= 0xa9;
}

}  // namespace

std::optional<std::string> name_fault(std::string_view name) {
  if (name.empty()) return "must not be empty";
  if (name.size() > 200) return "must be at most 200 bytes";
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (begins_with_control(name.substr(i))) return "must not contain control characters";
  }
  return std::nullopt;
}

}  // namespace weir
