#include "proxy/refusal.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "admission/refusal_text.hpp"
#include "http/problem.hpp"
#include "quota/amount_text.hpp"

namespace weir::proxy {
namespace {

struct Names {  // of a status, in each API's own words
  std::string_view google, interactions, openai_type, openai_code;
};

Names names_of(int status) {
  switch (status) {
    case 400:
    case 413:
      return {"INVALID_ARGUMENT", "invalid_request", "invalid_request_error", ""};
    case 401:
      return {"UNAUTHENTICATED", "unauthenticated", "authentication_error", "invalid_api_key"};
    case 404:
      return {"NOT_FOUND", "not_found", "invalid_request_error", "not_found"};
    case 429:
      return {"RESOURCE_EXHAUSTED", "too_many_requests", "requests", "rate_limit_exceeded"};
    case 501:
      return {"UNIMPLEMENTED", "unimplemented", "invalid_request_error", ""};
    case 502:
    case 503:
      return {"UNAVAILABLE", "service_unavailable", "server_error", "service_unavailable"};
    case 504:
      return {"DEADLINE_EXCEEDED", "deadline_exceeded", "server_error", "timeout"};
    default:
      return {"INTERNAL", "internal_error", "server_error", ""};
  }
}

// A quota's id in Google's manner: clients look for PerDay and PerMinute in it.
std::string quota_id(const quota::LimitSpec& spec) {
  std::string id = "Weir";
  switch (spec.metric) {
    case Metric::requests:
      id += "Requests";
      break;
    case Metric::input_tokens:
      id += "InputTokens";
      break;
    case Metric::output_tokens:
      id += "OutputTokens";
      break;
    case Metric::total_tokens:
      id += "Tokens";
      break;
    case Metric::images:
      id += "Images";
      break;
    case Metric::cost_usd:
      id += "Cost";
      break;
    case Metric::in_flight:
      return id + "CallsInFlightPerProject";
  }
  switch (spec.window.kind) {
    case quota::WindowKind::sliding:
      id += spec.window.length == std::chrono::seconds(60) ? std::string("PerMinute")
                                                           : "Per" + quota::to_string(spec.window);
      break;
    case quota::WindowKind::day:
      id += "PerDay";
      break;
    case quota::WindowKind::week:
      id += "PerWeek";
      break;
    default:
      id += "PerMonth";
  }
  return id + "PerProjectPerModel";
}

void append_quota_failure(std::string& out, const admission::Answer& answer, const quota::Book& book) {
  out += R"({"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[)";
  for (std::size_t i = 0; i < answer.violations.size(); ++i) {
    const quota::LimitSpec& spec = book.spec(answer.violations[i].limit);
    out += i > 0 ? R"(,{"quotaMetric":"weir/)" : R"({"quotaMetric":"weir/)";
    out += to_string(spec.metric);
    out += R"(","quotaId":)";
    http::append_json_string(out, quota_id(spec));
    out += R"(,"quotaDimensions":{"limit":)";
    http::append_json_string(out, spec.name);
    out += R"(,"model":)";
    http::append_json_string(out, answer.lane->model);
    out += R"(,"project":)";
    http::append_json_string(out, answer.lane->project_name);
    out += R"(},"quotaValue":")";
    append_amount(out, spec.metric, spec.amount);
    out += "\"}";
  }
  out += "]}";
}

// `details`: of Google's form, without brackets; may be empty.
Refusal make(Form form, int status, std::string_view detail, std::string_view details,
             std::string_view openai_type = "") {
  const Names names = names_of(status);
  const std::string message = "Weir: " + std::string(detail);
  Refusal made{.status = status, .text = message, .body = {}, .headers = {}};
  std::string& out = made.body;
  switch (form) {
    case Form::google:
      out += "{\"error\":{\"code\":";
      append_int(out, status);
      out += ",\"message\":";
      http::append_json_string(out, message);
      out += fmt::format(R"(,"status":"{}")", names.google);
      if (!details.empty()) out.append(",\"details\":[").append(details) += ']';
      out += "}}";
      break;
    case Form::interactions:
      out += "{\"error\":{\"message\":";
      http::append_json_string(out, message);
      out += fmt::format(R"(,"code":"{}"}}}})", names.interactions);
      break;
    case Form::google_openai:
    case Form::openai:
      out += "{\"error\":{\"message\":";
      http::append_json_string(out, message);
      out += fmt::format(R"(,"type":"{}","param":null,"code":)",
                         openai_type.empty() ? names.openai_type : openai_type);
      out +=
          names.openai_code.empty() ? std::string("null}}") : fmt::format(R"("{}"}}}})", names.openai_code);
      break;
  }
  return made;
}

Refusal denial(Form form, const admission::Answer& answer, const Now& now, admission::Service& service) {
  const quota::Book& book = service.book();
  const bool never = answer.verdict == admission::Verdict::never_fits;
  const SteadyTime retry_at = std::max(answer.retry_at, now.steady);
  const std::string text =
      never ? admission::never_fits_text(answer, book)
            : admission::denial_text(answer, now.wall_at(retry_at), book, service.waiting());
  const quota::Violation* binding = admission::binding(answer.violations);
  for (const quota::Violation& violation : answer.violations) {
    if (violation.never_fits) binding = &violation;
  }

  std::string details;
  append_quota_failure(details, answer, book);
  std::int64_t retry_ms = 0;
  if (!never) {
    retry_ms = ((retry_at - now.steady).count() + 999) / 1000;
    details +=
        fmt::format(R"(,{{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"{}.{:03}s"}})",
                    retry_ms / 1000, retry_ms % 1000);
  }
  const bool tokens = binding != nullptr && (book.spec(binding->limit).metric == Metric::input_tokens ||
                                             book.spec(binding->limit).metric == Metric::output_tokens ||
                                             book.spec(binding->limit).metric == Metric::total_tokens);
  Refusal made = make(form, 429, text, details, tokens ? "tokens" : "requests");
  if (!never) made.headers += fmt::format("Retry-After: {}\r\n", (retry_ms + 999) / 1000);
  // OpenAI's SDKs retry soon whatever Retry-After says if that is beyond a minute; this they obey.
  if (never || retry_ms > 60'000) made.headers += "X-Should-Retry: false\r\n";
  made.headers += fmt::format("X-Weir-Denied: {}\r\n",
                              binding != nullptr ? book.spec(binding->limit).name : "waiting-line");
  return made;
}

}  // namespace

Refusal refusal(Form form, int status, std::string_view detail) {
  Refusal made = make(form, status, detail, {});
  if (status == 503) made.headers = "Retry-After: 1\r\n";
  return made;
}

Refusal refusal(Form form, const admission::Answer& answer, const Now& now, admission::Service& service) {
  switch (answer.verdict) {
    case admission::Verdict::too_many_open:
    case admission::Verdict::ledger_failing:
      return refusal(form, 503,
                     answer.verdict == admission::Verdict::too_many_open
                         ? "as many calls are open as queue.max_open allows"
                         : "the ledger cannot be written, and without it nothing may be admitted");
    case admission::Verdict::removed:
      return refusal(form, 404, "the project that the call waited for is not configured any more");
    default:
      return denial(form, answer, now, service);
  }
}

}  // namespace weir::proxy
