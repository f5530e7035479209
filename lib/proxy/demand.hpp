// What a metered request asks for, read from its body. Pure but for the parser that is lent.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <simdjson.h>

#include "admission/estimates.hpp"
#include "quota/amounts.hpp"

#include "proxy/target.hpp"

namespace weir::proxy {

struct Demand {
  std::string model;  // as asked; "" if the body names none
  Amounts want;
  admission::Guess guess;
  std::string_view problem;  // why the model cannot be read, a sentence; "" if that is not so
};

// `body` gets room behind its end, which simdjson needs. `encoding`: the request's Content-Encoding. `shared`
// serves bodies of ordinary size; a large one gets a parser of its own.
Demand demand_of(const Operation& operation, std::string& body, std::string_view encoding,
                 simdjson::dom::parser& shared);

// Of a body of so many bytes that is not read.
admission::Guess guess_by_size(std::uint64_t bytes);

}  // namespace weir::proxy
