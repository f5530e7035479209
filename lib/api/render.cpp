#include "api/render.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "http/problem.hpp"
#include "ledger/call_id.hpp"
#include "time/rfc3339.hpp"

namespace weir::api {
namespace {

void append_charged(std::string& out, const Amounts& charged) {
  out += "{\"requests\":";
  append_int(out, charged.requests);
  if (charged.input_tokens != 0) {
    out += ",\"input_tokens\":";
    append_int(out, charged.input_tokens);
  }
  if (charged.output_tokens != 0) {
    out += ",\"output_tokens\":";
    append_int(out, charged.output_tokens);
  }
  if (charged.images != 0) {
    out += ",\"images\":";
    append_int(out, charged.images);
  }
  out += '}';
}

// Dollars as money is shown, else up to two decimals.
void append_rate(std::string& out, Metric metric, double per_hour) {
  if (metric == Metric::cost_usd) {
    append_usd(out, static_cast<NanoUsd>(per_hour));
    return;
  }
  char text[32];
  const double rounded = std::round(per_hour * 100) / 100;
  const auto end = std::to_chars(text, text + sizeof text, rounded, std::chars_format::fixed).ptr;
  out.append(text, static_cast<std::size_t>(end - text));
}

}  // namespace

void append_time(std::string& out, WallTime at) {
  char text[26];
  text[0] = '"';
  char* end = write_rfc3339(text + 1, at);
  *end++ = '"';
  out.append(text, static_cast<std::size_t>(end - text));
}

void append_string(std::string& out, std::string_view text) {
  http::append_json_string(out, text);
}

void append_csv_text(std::string& out, std::string_view text) {
  // A spreadsheet would take a name that begins so for a formula.
  const bool formula = !text.empty() && std::string_view("=+-@").find(text.front()) != std::string_view::npos;
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) {
    if (formula) out += '\'';
    out += text;
    return;
  }
  out += '"';
  if (formula) out += '\'';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

void append_admission(std::string& out, const AdmissionText& admission) {
  out += "{\"admission_id\":\"";
  ledger::append_id(out, admission.id);
  out += "\",\"project\":";
  append_string(out, admission.project);
  out += ",\"model\":";
  append_string(out, admission.model);
  out += ",\"admitted_at\":";
  append_time(out, admission.admitted_at);
  out += ",\"lease_expires_at\":";
  append_time(out, admission.admitted_at + admission.lease);
  out += ",\"waited_s\":";
  append_seconds(out, admission.waited);
  out += ",\"charged\":";
  append_charged(out, admission.charged);
  out += admission.estimated ? ",\"estimated\":true}" : "}";
}

void append_usage(std::string& out, const Usage& usage) {
  out += "{\"input_tokens\":";
  append_int(out, usage.input_tokens);
  out += ",\"cached_input_tokens\":";
  append_int(out, usage.cached_input_tokens);
  out += ",\"output_tokens\":";
  append_int(out, usage.output_tokens);
  out += ",\"thoughts_tokens\":";
  append_int(out, usage.thoughts_tokens);
  out += ",\"tool_use_tokens\":";
  append_int(out, usage.tool_use_tokens);
  out += ",\"total_tokens\":";
  append_int(out, usage.total_tokens());
  if (usage.images != 0) {
    out += ",\"images\":";
    append_int(out, usage.images);
  }
  out += '}';
}

void append_settled(std::string& out, std::string_view project, std::string_view model,
                    std::string_view consumer, const ledger::Outcome& outcome) {
  out += "{\"call_id\":\"";
  ledger::append_id(out, outcome.id);
  out += "\",\"project\":";
  append_string(out, project);
  out += ",\"model\":";
  append_string(out, model);
  out += ",\"consumer\":";
  append_string(out, consumer);
  out += ",\"status\":";
  append_int(out, outcome.status);
  out += ",\"usage\":";
  append_usage(out, outcome.usage);
  out += ",\"charged\":";
  append_charged(out, outcome.charged);
  out += ",\"cost_usd\":";
  append_usd(out, outcome.cost);
  out += outcome.estimated ? ",\"estimated\":true}" : ",\"estimated\":false}";
}

void append_limit(std::string& out, std::string_view project, const quota::LimitSpec& spec,
                  const quota::LimitView& view, const quota::Forecast& forecast, std::size_t waiting) {
  const auto optional_time = [&out](const std::optional<WallTime>& at) {
    if (at) {
      append_time(out, *at);
    } else {
      out += "null";
    }
  };
  out += "{\"project\":";
  append_string(out, project);
  out += ",\"limit\":";
  append_string(out, spec.name);
  out += ",\"models\":[";
  for (std::size_t i = 0; i < spec.models.size(); ++i) {
    if (i > 0) out += ',';
    append_string(out, spec.models[i]);
  }
  out += "],\"metric\":\"";
  out += to_string(spec.metric);
  out += "\",\"window\":\"";
  out += to_string(spec.window);
  out += "\",\"amount\":";
  append_amount(out, spec.metric, spec.gate ? 0 : spec.amount);
  out += ",\"used\":";
  append_amount(out, spec.metric, view.used);
  out += ",\"held\":";
  append_amount(out, spec.metric, view.held);
  out += ",\"remaining\":";
  append_amount(out, spec.metric, view.remaining);
  out += ",\"used_elsewhere\":";
  append_amount(out, spec.metric, std::max<std::int64_t>(0, view.used_elsewhere));
  out += ",\"waiting\":";
  append_int(out, static_cast<std::int64_t>(waiting));
  out += ",\"resets_at\":";
  optional_time(view.resets_at);
  out += ",\"pace_per_hour\":";
  if (forecast.pace_per_hour) {
    append_rate(out, spec.metric, *forecast.pace_per_hour);
  } else {
    out += "null";
  }
  out += ",\"forecast\":\"";
  out += to_string(forecast.outlook);
  out += "\",\"exhausts_at\":";
  optional_time(forecast.exhausts_at);
  out += ",\"exhausted_until\":";
  optional_time(view.exhausted_until);
  out += ",\"source\":\"";
  out += to_string(spec.source);
  out += "\",\"published\":";
  if (spec.published.empty()) {
    out += "null";
  } else {
    append_string(out, spec.published);
  }
  out += spec.assumed ? ",\"assumed\":true" : ",\"assumed\":false";
  out += spec.enforce ? ",\"enforced\":true" : ",\"enforced\":false";
  if (!spec.time_zone.empty()) {
    out += ",\"time_zone\":";
    append_string(out, spec.time_zone);
  }
  if (!spec.consumer.empty()) {
    out += ",\"consumer\":";
    append_string(out, spec.consumer);
  }
  out += '}';
}

void append_observation(std::string& out, const ledger::Observation& seen, std::string_view project) {
  out += "{\"id\":\"";
  ledger::append_id(out, seen.id);
  out += "\",\"project\":";
  append_string(out, project);
  out += ",\"model\":";
  append_string(out, seen.model);
  out += ",\"limit\":";
  append_string(out, seen.limit);
  out += ",\"kind\":";
  append_string(out, seen.kind);
  out += ",\"amount\":";
  if (seen.amount < 0) {
    out += "null";
  } else {
    append_int(out, seen.amount);
  }
  out += ",\"until\":";
  append_time(out, seen.until);
  out += ",\"probe_at\":";
  if (seen.probe_at == WallTime{}) {
    out += "null";
  } else {
    append_time(out, seen.probe_at);
  }
  out += ",\"seen_at\":";
  append_time(out, seen.seen_at);
  out += ",\"evidence\":";
  append_string(out, seen.evidence);
  out += '}';
}

void append_call(std::string& out, const ledger::Call& call, std::string_view project, std::string_view model,
                 std::string_view consumer) {
  const ledger::Outcome& outcome = call.outcome;
  const WallTime admitted_at = call.admitted_at();
  out += "{\"call_id\":\"";
  ledger::append_id(out, call.admission.id);
  out += "\",\"admission_id\":";
  if (call.admission.lease_us > 0) {
    out += '"';
    ledger::append_id(out, call.admission.id);
    out += '"';
  } else {
    out += "null";  // recorded without admission
  }
  out += ",\"project\":";
  append_string(out, project);
  out += ",\"model\":";
  append_string(out, model);
  out += ",\"consumer\":";
  append_string(out, consumer);
  out += ",\"state\":\"";
  out += to_string(call.closed ? outcome.state : ledger::State::open);
  out += "\",\"status\":";
  if (call.closed && outcome.status != 0) {
    append_int(out, outcome.status);
  } else {
    out += "null";
  }
  out += ",\"admitted_at\":";
  append_time(out, admitted_at);
  out += ",\"settled_at\":";
  if (call.closed) {
    append_time(out, admitted_at + Micros(outcome.settled_us));
  } else {
    out += "null";
  }
  out += ",\"latency_s\":";
  if (call.closed && outcome.latency_us >= 0) {
    append_seconds(out, Micros(outcome.latency_us));
  } else {
    out += "null";
  }
  out += ",\"usage\":";
  append_usage(out, outcome.usage);
  out += ",\"cost_usd\":";
  append_usd(out, outcome.cost);
  out += outcome.estimated || !call.closed ? ",\"estimated\":true}" : ",\"estimated\":false}";
}

}  // namespace weir::api
