// Refusals: how a 429 and a 422 say what is used up, how much of it, and when to come back.
#include <algorithm>

#include "admission/refusal_text.hpp"
#include "api/render.hpp"
#include "time/rfc3339.hpp"

namespace weir::api {
namespace {

// A gate counts nothing; it is only closed.
std::int64_t amount_of(const quota::LimitSpec& spec) {
  return spec.gate ? 0 : spec.amount;
}

std::int64_t whole_seconds_up(Micros duration) {
  return std::max<std::int64_t>(0, (duration.count() + 999'999) / 1'000'000);
}

// A structured-field string: quotes and backslashes escaped.
void append_sf_string(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  out += '"';
}

// Whether the RateLimit fields can tell of a limit: they have whole numbers, which money is not, and names of
// printable ASCII, which are to equal those in violated-policies.
bool has_rate_limit(const quota::LimitSpec& spec) {
  return spec.metric != Metric::cost_usd &&
         std::all_of(spec.name.begin(), spec.name.end(), [](char c) { return c >= 0x20 && c < 0x7f; });
}

// The draft's unit where it has one; it has none for tokens and images, and without one it means requests.
std::string_view quota_unit(Metric metric) {
  switch (metric) {
    case Metric::input_tokens:
    case Metric::output_tokens:
    case Metric::total_tokens:
      return "tokens";
    case Metric::images:
      return "images";
    case Metric::in_flight:
      return "concurrent-requests";
    default:
      return "requests";
  }
}

void append_policy(std::string& out, const quota::LimitSpec& spec) {
  append_sf_string(out, spec.name);
  out += ";q=";
  append_int(out, amount_of(spec));
  if (const auto unit = quota_unit(spec.metric); unit != "requests") append_sf_string(out += ";qu=", unit);
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
  if (window_s > 0) append_int(out += ";w=", window_s);
}

void append_rate_limit_headers(std::string& out, std::span<const quota::Violation> violations, const Now& now,
                               const quota::Book& book) {
  std::string policies, state;
  for (const quota::Violation& violation : violations) {
    const quota::LimitSpec& spec = book.spec(violation.limit);
    if (!has_rate_limit(spec)) continue;
    append_policy(policies += policies.empty() ? "RateLimit-Policy: " : ", ", spec);
    append_sf_string(state += state.empty() ? "RateLimit: " : ", ", spec.name);
    const std::int64_t left = violation.exhausted ? 0 : amount_of(spec) - violation.used - violation.held;
    append_int(state += ";r=", std::max<std::int64_t>(0, left));
    append_int(state += ";t=", whole_seconds_up(violation.retry_at - now.steady));
  }
  if (!policies.empty()) out.append(policies).append("\r\n").append(state).append("\r\n");
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
    append_amount(out, spec.metric, amount_of(spec));
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
  append_string(out, admission::denial_text(answer, retry_at, book, waiting));
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
  out += "{\"type\":\"urn:weir:problem:never-fits\",\"title\":\"Never fits\",\"status\":422,\"detail\":";
  append_string(out, admission::never_fits_text(answer, book));
  append_violations(out, answer.violations, nullptr, book);
  out += '}';
}

}  // namespace weir::api
