// Percent-decoding of paths and queries. Pure functions, any thread. Boost.URL is not used: it would be one
// more compiled library for these few lines, and it refuses queries that browsers send.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::http {

// A path segment: "a%2Fb" is "a/b", '+' stays. nullopt if an escape is cut short or not hexadecimal.
std::optional<std::string> percent_decode(std::string_view text);

// The value of the first parameter of that name: '+' is a space, "name" alone is "". A broken escape stays as
// it was sent, as browsers read it. nullopt: no such parameter.
std::optional<std::string> query_param(std::string_view query, std::string_view name);

// All parameters in order, decoded the same way; for routes that refuse unknown ones.
std::vector<std::pair<std::string, std::string>> query_params(std::string_view query);

}  // namespace weir::http
