// The kinds of observations, as the ledger, the API and the metrics name them (docs/learning.md).
#pragma once

#include <array>
#include <string_view>

namespace weir::admission {

inline constexpr std::string_view kExhausted = "exhausted";   // until a reset
inline constexpr std::string_view kReopened = "reopened";     // the window began anew before its time
inline constexpr std::string_view kOff = "off";               // not available to this project
inline constexpr std::string_view kAmount = "amount";         // what a limit really allows
inline constexpr std::string_view kExplored = "explored";     // what went through beyond a published limit
inline constexpr std::string_view kModelName = "model_name";  // `limit` is upstream's name of `model`
inline constexpr std::string_view kCoolDown = "cool_down";    // a 429 that names nothing
inline constexpr std::string_view kSpend = "spend";           // spending too fast
inline constexpr std::string_view kCredits = "credits";       // nothing left to spend

inline constexpr std::array kObservationKinds = {kExhausted, kReopened, kOff,   kAmount, kExplored,
                                                 kModelName, kCoolDown, kSpend, kCredits};

}  // namespace weir::admission
