// Answers as bytes. The two on the hot path (an admission, a denial) and all others are appended to a reused
// buffer by hand: a JSON library would cost more than the decision itself.
#pragma once

#include <string>
#include <string_view>

#include "admission/service.hpp"
#include "ledger/records.hpp"
#include "quota/amount_text.hpp"
#include "quota/forecast.hpp"

namespace weir::api {

void append_time(std::string& out, WallTime at);              // with quotes
void append_string(std::string& out, std::string_view text);  // with quotes, escaped
// A field of CSV as RFC 4180 has it: quoted only where it must be, quotes doubled.
void append_csv_text(std::string& out, std::string_view text);

// 201 of POST /v1/admissions. The same text for a call read back from the ledger, so a retry gets the first
// answer.
struct AdmissionText {
  ledger::CallId id = 0;
  std::string_view project, model;
  WallTime admitted_at;
  Micros lease{0}, waited{0};
  Amounts charged;
  bool estimated = false;  // the input was read off the request's body
};
void append_admission(std::string& out, const AdmissionText& admission);

// 200 of a settlement.
void append_settled(std::string& out, std::string_view project, std::string_view model,
                    std::string_view consumer, const ledger::Outcome& outcome);
void append_usage(std::string& out, const Usage& usage);

// 429: the problem, and its header lines (Retry-After, RateLimit, RateLimit-Policy).
void append_denial(std::string& out, std::string& headers, const admission::Answer& answer, const Now& now,
                   const quota::Book& book, std::size_t waiting);
// 422 never-fits.
void append_never_fits(std::string& out, const admission::Answer& answer, const quota::Book& book);

// One element of GET /v1/quota's limits; `waiting` calls wait for room on it.
void append_limit(std::string& out, std::string_view project, const quota::LimitSpec& spec,
                  const quota::LimitView& view, const quota::Forecast& forecast, std::size_t waiting);
// One element of GET /v1/observations' observations.
void append_observation(std::string& out, const ledger::Observation& seen, std::string_view project);
// One element of GET /v1/calls' calls.
void append_call(std::string& out, const ledger::Call& call, std::string_view project, std::string_view model,
                 std::string_view consumer);

}  // namespace weir::api
