#include "text/name.hpp"

namespace weir {

std::optional<std::string> name_fault(std::string_view name) {
  if (name.empty()) return "must not be empty";
  if (name.size() > 200) return "must be at most 200 bytes";
  for (const char c : name) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return "must not contain control characters";
  }
  return std::nullopt;
}

}  // namespace weir
