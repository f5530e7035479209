// The model's name in a request's JSON. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace weir::proxy {

// `body` with `model` as the value of its member "model" (every one at the top level); nothing else is
// changed. nullopt if it is no object that has one, with a string.
std::optional<std::string> with_model(std::string_view body, std::string_view model);

}  // namespace weir::proxy
