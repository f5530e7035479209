// Reading fields of a parsed answer without surprises. Internal to this room.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <simdjson.h>

namespace weir::provider::json {

using Element = simdjson::dom::element;

// nullopt if `parent` is no object, or the key is absent or null.
std::optional<Element> member(Element parent, std::string_view key);

// Empty if there is no such string; a view into the element.
std::string_view text(Element parent, std::string_view key);

// A whole number in [0, 2^53]; nothing else passes for one.
std::optional<std::int64_t> count(Element value);

// The same, written as digits: "500". nullopt if anything else stands in it.
std::optional<std::int64_t> count(std::string_view digits);

// The error that an answer holds, in whatever place its API puts it: an object, or a plain string. nullopt if
// none.
std::optional<Element> error_in(Element answer);

// Makes JSON that was cut off whole again, keeping the members that were complete:
//   {"a": 1, "b": [{"c": 2}, {"d": 3   ->   {"a": 1, "b": [{"c": 2}]}
// nullopt if there is nothing to keep, or it is nested deeper than 64.
std::optional<std::string> close_truncated(std::string_view cut);

}  // namespace weir::provider::json
