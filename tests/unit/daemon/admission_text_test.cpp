#include <doctest/doctest.h>

#include "daemon/text/admission.hpp"

namespace weir::daemon {

using nlohmann::json;
using std::chrono::seconds;

TEST_CASE("an admission is one line that begins with its id") {
  const json admission = {{"admission_id", "0190"},
                          {"project", "default"},
                          {"model", "gemini-2.5-flash"},
                          {"waited_s", 0.0},
                          {"charged", {{"requests", 1}, {"input_tokens", 1200}}}};
  CHECK(render_admission(admission) ==
        "0190 charged 1 request, 1200 input tokens to gemini-2.5-flash in project default\n");
  json waited = admission;
  waited["waited_s"] = 2.34;
  CHECK(render_admission(waited) ==
        "0190 charged 1 request, 1200 input tokens to gemini-2.5-flash in project default, after 2.3 s\n");
}

TEST_CASE("a denial says why and when to come back") {
  const json problem = {{"title", "Quota exceeded"},
                        {"status", 429},
                        {"detail", "20 of 20 requests per day are used"},
                        {"retry_at", "2026-11-23T08:00:00.000Z"},
                        {"retry_after_s", 3600.2}};
  CHECK(render_problem(problem, 429) ==
        "20 of 20 requests per day are used\nretry in 1h 01m, at 2026-11-23T08:00:00.000Z");
}

TEST_CASE("a problem names the fields that are wrong") {
  const json problem = {{"title", "Bad Request"},
                        {"errors", {{{"pointer", "/input_tokens"}, {"detail", "must not be negative"}}}}};
  CHECK(render_problem(problem, 400) == "Bad Request\n  /input_tokens: must not be negative");
  json one = problem;
  one["detail"] = "/input_tokens must not be negative";
  CHECK(render_problem(one, 400) == "/input_tokens must not be negative");  // not twice
  json two = problem;
  two["detail"] = "2 fields are wrong";
  two["errors"].push_back({{"pointer", "/model"}, {"detail", "is missing"}});
  CHECK(render_problem(two, 400) ==
        "2 fields are wrong\n  /input_tokens: must not be negative\n  /model: is missing");
  CHECK(render_problem(json(), 502) == "the daemon answered with status 502");
  CHECK(render_problem({{"detail", "no token"}}, 401) ==
        "no token\ngive its token by --token-file, or by WEIR_TOKEN_FILE");
}

TEST_CASE("only a call that really waited has timed out") {
  const json at_once = {{"retry_after_s", 3600.0}};
  const json said_waited = {{"waited_s", 5.0}};
  const json said_not = {{"waited_s", 0.0}};
  CHECK(refusal_exit_code(at_once, 429, seconds(0), seconds(0)) == 4);
  CHECK(refusal_exit_code(at_once, 429, seconds(5), seconds(0)) == 4);
  CHECK(refusal_exit_code(at_once, 429, seconds(5), seconds(5)) == 5);
  CHECK(refusal_exit_code(said_waited, 429, seconds(5), seconds(0)) == 5);
  CHECK(refusal_exit_code(said_not, 429, seconds(5), seconds(6)) == 4);
  CHECK(refusal_exit_code({{"type", "urn:weir:problem:never-fits"}}, 422, seconds(0), seconds(0)) == 4);
  CHECK(refusal_exit_code({{"type", "urn:weir:problem:too-many-requests"}}, 429, seconds(0), seconds(0)) ==
        1);
  CHECK(refusal_exit_code(json(), 500, seconds(5), seconds(5)) == 1);
  CHECK(refusal_exit_code(json(), 404, seconds(0), seconds(0)) == 2);
}

TEST_CASE("what was asked for wrongly is wrong usage, anything else a failure") {
  for (const int status : {400, 404, 422}) CHECK_MESSAGE(problem_exit_code(status) == 2, status);
  for (const int status : {401, 403, 413, 500, 503}) CHECK_MESSAGE(problem_exit_code(status) == 1, status);
}

}  // namespace weir::daemon
