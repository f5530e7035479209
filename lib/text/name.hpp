// What may be a name of a project, a model or a consumer.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir {

// nullopt if it is one: 1 to 200 bytes of UTF-8, all of them printable (text/printable.hpp). Else what is
// wrong: "must not be empty".
std::optional<std::string> name_fault(std::string_view name);

}  // namespace weir
