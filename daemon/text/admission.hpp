// `weir admit`: what an answer of POST /v1/admissions means to a script. Pure.
#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "time/instant.hpp"

namespace weir::daemon {

// One line, the id first: "0190… charged 1 request, 1200 input tokens to gemini-2.5-flash in project
// default".
std::string render_admission(const nlohmann::json& admission);

// A problem in words: its detail, what is wrong with which field, and when to try again.
std::string render_problem(const nlohmann::json& problem, int status);

// The exit code for it: 2 if what was asked for is wrong (400, 404, 422), 1 anything else.
int problem_exit_code(int status);

// The exit code for a refused admission: 4 denied by quota (also if it can never fit), 5 waited for and timed
// out, else as above. `elapsed` is used where the answer does not say how long the call waited.
int refusal_exit_code(const nlohmann::json& problem, int status, Micros wait, Micros elapsed);

}  // namespace weir::daemon
