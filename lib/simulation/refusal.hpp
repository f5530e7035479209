// The 429 of a modelled provider, in the words of Gemini's API: the service reads it as it would read a real
// one, so what it learns in a simulation is what it would learn.
#pragma once

#include <string>
#include <vector>

#include "quota/limit.hpp"
#include "time/instant.hpp"

namespace weir::simulation {

// A limit whose window has no name there (neither a second, a minute nor a day) is not told: then the answer
// is a 429 that says less.
std::string refusal_body(const std::vector<const quota::LimitSpec*>& refused_by, Micros retry_after);

}  // namespace weir::simulation
