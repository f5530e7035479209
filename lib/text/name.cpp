#include "text/name.hpp"

#include "text/printable.hpp"

namespace weir {

std::optional<std::string> name_fault(std::string_view name) {
  if (name.empty()) return "must not be empty";
  if (name.size() > 200) return "must be at most 200 bytes";
  for (std::size_t at = 0; at < name.size(); at += utf8_length(name, at)) {
    if (unprintable_length(name, at) > 0) return "must not contain control characters";
  }
  return std::nullopt;
}

}  // namespace weir
