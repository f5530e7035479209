// Refusals: how a 429 and a 422 say what is used up, how much of it, and when to come back.
#include <algorithm>

#include "api/render.hpp"
#include "time/rfc3339.hpp"

namespace weir::api {
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

std::int64_t whole_seconds_up(Micros duration) {
  return std::max<std::int64_t>(0, (duration.count() + 999'999) / 1'000'000);
}

// The violation that lasts longest: the others end before it.
const quota::Violation* binding(std::span<const quota::Violation> violations) {
  const quota::Violation* last = nullptr;
  for (const quota::Violation& violation : violations) {
    if (last == nullptr || violation.retry_at > last->retry_at) last = &violation;
  }
  return last;
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

std::string denial_detail(const admission::Answer& answer, const quota::Violation* last, WallTime retry_at,
                          const quota::Book& book, std::size_t waiting) {
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
  if (answer.verdict == admission::Verdict::timed_out) {
    detail += "; waited ";
    append_seconds(detail, answer.waited);
    detail += " s";
  }
  return detail;
}

// A structured-field string: printable ASCII, quotes and backslashes escaped.
void append_sf_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c >= 0x20 && c < 0x7f ? c : '?';
  }
  out += '"';
}

std::int64_t sf_amount(Metric metric, std::int64_t amount) {
  return metric == Metric::cost_usd ? amount / 1'000'000'000
                                    : amount;  // whole dollars: the field takes integers
}

void append_rate_limit_headers(std::string& out, std::span<const quota::Violation> violations, const Now& now,
                               const quota::Book& book) {
  if (violations.empty()) return;
  out += "RateLimit-Policy: ";
  for (std::size_t i = 0; i < violations.size(); ++i) {
    const quota::LimitSpec& spec = book.spec(violations[i].limit);
    if (i > 0) out += ", ";
    append_sf_string(out, spec.name);
    out += ";q=";
    append_int(out, sf_amount(spec.metric, spec.amount));
    std::int64_t window_s = 0;
    switch (spec.window.kind) {
      case quota::WindowKind::sliding:
        window_s = whole_seconds_up(spec.window.length);
        break;
      case quota::WindowKind::day:
        window_s = 86'400;
        break;
      case quota::WindowKind::week:
        window_s = 7 * 86'400;
        break;
      default:
        break;  // a month has no one length, what is in flight has none
    }
    if (window_s > 0) {
      out += ";w=";
      append_int(out, window_s);
    }
  }
  out += "\r\nRateLimit: ";
  for (std::size_t i = 0; i < violations.size(); ++i) {
    const quota::Violation& violation = violations[i];
    const quota::LimitSpec& spec = book.spec(violation.limit);
    if (i > 0) out += ", ";
    append_sf_string(out, spec.name);
    out += ";r=";
    const std::int64_t left = violation.exhausted ? 0 : spec.amount - violation.used - violation.held;
    append_int(out, sf_amount(spec.metric, std::max<std::int64_t>(0, left)));
    out += ";t=";
    append_int(out, whole_seconds_up(violation.retry_at - now.steady));
  }
  out += "\r\n";
}

void append_violations(std::string& out, std::span<const quota::Violation> violations, const Now* now,
                       const quota::Book& book) {
  out += ",\"violated-policies\":[";
  for (std::size_t i = 0; i < violations.size(); ++i) {
    if (i > 0) out += ',';
    append_string(out, book.spec(violations[i].limit).name);
  }
  out += "],\"violations\":[";
  for (std::size_t i = 0; i < violations.size(); ++i) {
    const quota::Violation& violation = violations[i];
    const quota::LimitSpec& spec = book.spec(violation.limit);
    out += i > 0 ? ",{\"limit\":" : "{\"limit\":";
    append_string(out, spec.name);
    out += ",\"metric\":\"";
    out += to_string(spec.metric);
    out += "\",\"window\":\"";
    out += to_string(spec.window);
    out += "\",\"amount\":";
    append_amount(out, spec.metric, spec.amount);
    out += ",\"used\":";
    append_amount(out, spec.metric, violation.used);
    out += ",\"held\":";
    append_amount(out, spec.metric, violation.held);
    out += ",\"requested\":";
    append_amount(out, spec.metric, violation.requested);
    out += ",\"retry_at\":";
    if (now == nullptr || violation.never_fits) {
      out += "null";
    } else {
      append_time(out, now->wall_at(violation.retry_at));
    }
    out += '}';
  }
  out += ']';
}

}  // namespace

void append_denial(std::string& out, std::string& headers, const admission::Answer& answer, const Now& now,
                   const quota::Book& book, std::size_t waiting) {
  const Micros retry_after = std::max(Micros(0), answer.retry_at - now.steady);
  const WallTime retry_at = now.wall_at(std::max(answer.retry_at, now.steady));
  headers += "Retry-After: ";
  append_int(headers, whole_seconds_up(retry_after));
  headers += "\r\n";
  append_rate_limit_headers(headers, answer.violations, now, book);

  out +=
      "{\"type\":\"https://iana.org/assignments/http-problem-types#quota-exceeded\",\"title\":\"Quota "
      "exceeded\","
      "\"status\":429,\"detail\":";
  append_string(out, denial_detail(answer, binding(answer.violations), retry_at, book, waiting));
  append_violations(out, answer.violations, &now, book);
  out += ",\"retry_at\":";
  append_time(out, retry_at);
  out += ",\"retry_after_s\":";
  append_seconds(out, retry_after);
  out += ",\"waited_s\":";
  append_seconds(out, answer.waited);
  out += '}';
}

void append_never_fits(std::string& out, const admission::Answer& answer, const quota::Book& book) {
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
  out += "{\"type\":\"urn:weir:problem:never-fits\",\"title\":\"Never fits\",\"status\":422,\"detail\":";
  append_string(out, detail);
  append_violations(out, answer.violations, nullptr, book);
  out += '}';
}

}  // namespace weir::api
