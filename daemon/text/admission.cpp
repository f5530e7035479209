#include "daemon/text/admission.hpp"

#include <array>

#include <fmt/format.h>

#include "daemon/text/human.hpp"

namespace weir::daemon {
namespace {

struct Unit {
  const char* key;
  const char* one;
  const char* many;
};
constexpr std::array kUnits = {
    Unit{"requests", "request", "requests"},
    Unit{"input_tokens", "input token", "input tokens"},
    Unit{"output_tokens", "output token", "output tokens"},
    Unit{"images", "image", "images"},
};

}  // namespace

std::string render_admission(const nlohmann::json& admission) {
  std::string charged;
  if (const auto amounts = admission.find("charged"); amounts != admission.end() && amounts->is_object()) {
    for (const Unit& unit : kUnits) {
      const std::int64_t count = count_at(*amounts, unit.key);
      if (count == 0) continue;
      if (!charged.empty()) charged += ", ";
      charged += fmt::format("{} {}", count, count == 1 ? unit.one : unit.many);
    }
    if (const double cost = number_at(*amounts, "cost_usd"); cost > 0) {
      if (!charged.empty()) charged += ", ";
      charged += human_dollars(cost);
    }
  }
  if (charged.empty()) charged = "nothing";
  std::string out = fmt::format("{} charged {} to {} in project {}", text_at(admission, "admission_id"),
                                charged, text_at(admission, "model"), text_at(admission, "project"));
  if (const double waited = number_at(admission, "waited_s"); waited >= 0.05) {
    out += fmt::format(", after {:.1f} s", waited);
  }
  return out + "\n";
}

std::string render_problem(const nlohmann::json& problem, int status) {
  if (!problem.is_object()) return fmt::format("the daemon answered with status {}", status);
  std::string out = text_at(problem, "detail");
  if (out.empty()) out = text_at(problem, "title");
  if (out.empty()) out = fmt::format("the daemon answered with status {}", status);
  // The detail says it if there is only one.
  if (const auto errors = problem.find("errors");
      errors != problem.end() && errors->is_array() && (errors->size() > 1 || !problem.contains("detail"))) {
    for (const auto& error : *errors) {
      if (!error.is_object()) continue;
      const std::string pointer = text_at(error, "pointer");
      out += fmt::format("\n  {}{}{}", pointer, pointer.empty() ? "" : ": ", text_at(error, "detail"));
    }
  }
  const auto retry = problem.find("retry_after_s");
  if (retry != problem.end() && retry->is_number()) {
    out += fmt::format("\nretry in {}",
                       human_duration(Micros(static_cast<std::int64_t>(retry->get<double>() * 1e6))));
    if (const auto at = text_at(problem, "retry_at"); !at.empty()) out += fmt::format(", at {}", at);
  }
  if (status == 401) out += "\ngive its token by --token-file, or by WEIR_TOKEN_FILE";
  return out;
}

int problem_exit_code(int status) {
  return status == 400 || status == 404 || status == 422 ? 2 : 1;
}

int refusal_exit_code(const nlohmann::json& problem, int status, Micros wait, Micros elapsed) {
  if (status == 422 && problem.is_object() && text_at(problem, "type") == "urn:weir:problem:never-fits")
    return 4;
  const bool too_many =
      problem.is_object() && text_at(problem, "type") == "urn:weir:problem:too-many-requests";
  if (status != 429 || too_many) return problem_exit_code(status);
  if (wait.count() <= 0) return 4;
  const auto waited = problem.is_object() ? problem.find("waited_s") : problem.end();
  if (waited != problem.end() && waited->is_number()) return waited->get<double>() > 0 ? 5 : 4;
  return elapsed >= wait ? 5 : 4;
}

}  // namespace weir::daemon
