// Refusals in words, for every API that tells of them: what is used up, how much of it, when to come back.
#pragma once

#include <span>
#include <string>

#include "admission/service.hpp"

namespace weir::admission {

// The violation that lasts longest: the others end before it. nullptr if there is none.
const quota::Violation* binding(std::span<const quota::Violation> violations);

// "20 of 20 requests per day are used for gemini-2.5-flash in project default; it resets at ..."; `waiting`
// calls stand in line.
std::string denial_text(const Answer& answer, WallTime retry_at, const quota::Book& book,
                        std::size_t waiting);
// Why a call can never go.
std::string never_fits_text(const Answer& answer, const quota::Book& book);

}  // namespace weir::admission
