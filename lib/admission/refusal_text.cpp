#include "admission/refusal_text.hpp"

#include "quota/amount_text.hpp"
#include "time/rfc3339.hpp"

namespace weir::admission {
namespace {

std::string_view words(Metric metric) {
  switch (metric) {
    case Metric::requests:
      return "requests";
    case Metric::input_tokens:
      return "input tokens";
    case Metric::output_tokens:
      return "output tokens";
    case Metric::total_tokens:
      return "tokens";
    case Metric::images:
      return "images";
    case Metric::cost_usd:
      return "US dollars";
    case Metric::in_flight:
      return "calls in flight";
  }
  return {};
}

void append_models(std::string& out, const quota::LimitSpec& spec) {
  for (std::size_t i = 0; i < spec.models.size(); ++i) {
    if (i > 0) out += ", ";
    out += spec.models[i];
  }
}

// "20 of 20 requests per day are used for gemini-2.5-flash in project default"
void append_state(std::string& out, const quota::LimitSpec& spec, const quota::Violation& violation,
                  std::string_view project) {
  append_amount(out, spec.metric, violation.used + violation.held);
  out += " of ";
  append_amount(out, spec.metric, spec.amount);
  out += ' ';
  out += words(spec.metric);
  if (spec.window.kind != quota::WindowKind::in_flight) {
    out += " per ";
    out += to_string(spec.window);
    out += violation.held > 0 ? " are used or held by open calls" : " are used";
  } else {
    out += " are open";
  }
  out += " for ";
  append_models(out, spec);
  out += " in project ";
  out += project;
  if (!spec.consumer.empty()) {
    out += " by consumer ";
    out += spec.consumer;
  }
  if (violation.requested > 1) {
    out += ", and this call takes ";
    append_amount(out, spec.metric, violation.requested);
  }
}

}  // namespace

const quota::Violation* binding(std::span<const quota::Violation> violations) {
  const quota::Violation* last = nullptr;
  for (const quota::Violation& violation : violations) {
    if (last == nullptr || violation.retry_at > last->retry_at) last = &violation;
  }
  return last;
}

std::string denial_text(const Answer& answer, WallTime retry_at, const quota::Book& book,
                        std::size_t waiting) {
  const quota::Violation* last = binding(answer.violations);
  std::string detail;
  detail.reserve(320);
  if (last == nullptr) {
    append_int(detail, static_cast<std::int64_t>(waiting));
    detail += " calls wait for room on the limits of this call, and come first";
    return detail;
  }
  const quota::LimitSpec& spec = book.spec(last->limit);
  if (spec.gate) {
    detail += "the upstream has refused calls of ";
    append_models(detail, spec);
    detail += " in project ";
    detail += answer.lane->project_name;
    detail += " without naming a limit, so they rest; GET /v1/observations shows its words";
  } else if (last->exhausted) {
    detail += "the upstream has answered that ";
    detail += spec.name;
    detail += " is used up in project ";
    detail += answer.lane->project_name;
  } else {
    append_state(detail, spec, *last, answer.lane->project_name);
  }
  const bool calendar =
      spec.window.kind != quota::WindowKind::sliding && spec.window.kind != quota::WindowKind::in_flight;
  detail += calendar ? "; it resets at " : "; there may be room at ";
  detail += to_rfc3339(retry_at);
  if (answer.verdict == Verdict::line_full) {
    detail += "; ";
    append_int(detail, static_cast<std::int64_t>(waiting));
    detail += " calls wait already, as many as queue.max_waiting allows";
  }
  if (answer.verdict == Verdict::timed_out) {
    detail += "; waited ";
    append_seconds(detail, answer.waited);
    detail += " s";
  }
  return detail;
}

std::string never_fits_text(const Answer& answer, const quota::Book& book) {
  std::string detail;
  for (const quota::Violation& violation : answer.violations) {
    if (!violation.never_fits) continue;
    const quota::LimitSpec& spec = book.spec(violation.limit);
    if (spec.amount == 0) {
      detail = "model ";
      detail += answer.lane->model;
      detail += " is not available in project ";
      detail += answer.lane->project_name;
      detail += ": ";
      detail += spec.name;
      detail += " is 0 on its tier (source: ";
      detail += to_string(spec.source);
      detail += spec.published.empty() ? std::string(")") : " of " + spec.published + ")";
      break;
    }
    detail = "this call takes ";
    append_amount(detail, spec.metric, violation.requested);
    detail += ' ';
    detail += words(spec.metric);
    detail += ", and ";
    detail += spec.name;
    detail += " in project ";
    detail += answer.lane->project_name;
    detail += " allows only ";
    append_amount(detail, spec.metric, spec.amount);
    detail += "; make it smaller";
    break;
  }
  return detail;
}

}  // namespace weir::admission
