// What is asked about quotas, usage, calls, observations; the metrics.
#include <charconv>
#include <map>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "api/api.hpp"
#include "api/call_export.hpp"
#include "api/render.hpp"
#include "api/rights.hpp"
#include "api/usage_report.hpp"
#include "http/uri.hpp"
#include "ledger/call_id.hpp"
#include "text/name.hpp"
#include "text/suggest.hpp"
#include "time/rfc3339.hpp"

namespace weir::api {
namespace {

constexpr std::size_t kMaxPage = 1000;

using Params = std::vector<std::pair<std::string, std::string>>;

void bad_query(http::Exchange& exchange, std::string detail) {
  http::reply(exchange,
              {.status = 400, .title = {}, .detail = std::move(detail), .errors = {}, .headers = {}});
}

// Reads the query's parameters through `read(name, value)`, which returns what is wrong with one ("" =
// nothing). False: answered with a 400.
template <class Read>
bool read_query(http::Exchange& exchange, const std::vector<std::string_view>& known, Read read) {
  for (const auto& [name, value] : http::query_params(exchange.request().query)) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      bad_query(exchange, fmt::format("unknown parameter \"{}\"{}", name, did_you_mean(name, known)));
      return false;
    }
    if (value.empty()) continue;
    const std::string wrong = read(name, value);
    if (!wrong.empty()) {
      bad_query(exchange, fmt::format("parameter {}: {}", name, wrong));
      return false;
    }
  }
  return true;
}

std::string read_time(std::string_view text, std::optional<WallTime>& out) {
  out = parse_rfc3339(text);
  return out ? "" : "must be an RFC 3339 time or a date, like 2026-11-22T08:00:00Z or 2026-11-22";
}

struct UsageReport {
  ledger::UsageQuery query;
  std::map<std::string, Zone, std::less<>> zones;  // of the projects; a copy, for the report thread
  bool csv = false;
};

std::string read_by(std::string_view list, ledger::UsageQuery& query) {
  query.by_project = query.by_model = query.by_consumer = false;
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view word = list.substr(0, comma);
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    if (word == "project") {
      query.by_project = true;
    } else if (word == "model") {
      query.by_model = true;
    } else if (word == "consumer") {
      query.by_consumer = true;
    } else {
      return "must be a list of project, model, consumer";
    }
  }
  return {};
}

}  // namespace

// --- quota
// -----------------------------------------------------------------------------------------------------------

void Api::quota(Exchange& exchange) {
  std::string project_name, model;
  if (!read_query(exchange, {"project", "model"}, [&](const std::string& name, const std::string& value) {
        (name == "project" ? project_name : model) = value;
        return name_fault(value).value_or(std::string());
      })) {
    return;
  }
  const Now now = parts_.now();
  admission::Directory& directory = parts_.service.directory();
  if (!project_name.empty() && directory.project(project_name) == nullptr) {
    return http::reply(exchange, {.status = 404,
                                  .title = {},
                                  .detail = fmt::format("no project is named \"{}\"", project_name),
                                  .errors = {},
                                  .headers = {}});
  }
  body_ = "{\"as_of\":";
  append_time(body_, now.wall);
  body_ += ",\"limits\":[";
  quota::Book& book = parts_.service.book();
  const std::string_view own = exchange.request().consumer;
  std::vector<std::size_t> waiting;
  parts_.service.line().count_waiting(waiting);
  for (admission::Project& project : directory.projects()) {
    const std::string& name = project.setup->name;
    if (!project_name.empty() && name != project_name) continue;
    const auto append = [&](const quota::LimitSpec& spec, const quota::LimitView& view,
                            const quota::Forecast& forecast, std::size_t waits) {
      if (spec.gate && !view.exhausted_until) return;
      if (!own.empty() && !spec.consumer.empty() && spec.consumer != own) return;
      if (body_.back() != '[') body_ += ',';
      append_limit(body_, name, spec, view, forecast, waits);
    };
    const auto append_counted = [&](quota::LimitId id) {
      const quota::LimitView view = book.view(id, now);
      append(book.spec(id), view, parts_.service.forecasts().forecast(id, view, now),
             id < waiting.size() ? waiting[id] : 0);
    };
    if (model.empty()) {
      for (const quota::LimitId id : project.limits) append_counted(id);
      continue;
    }
    for (quota::LimitSpec& spec : directory.specs(project, model, own.empty() ? "default" : own)) {
      if (const auto counted = directory.limit(name, spec.name)) {
        append_counted(*counted);
      } else {
        quota::Book unused;  // no call of this model has come yet
        const quota::LimitId id = unused.add(std::move(spec), project.setup->guard);
        append(unused.spec(id), unused.view(id, now), {}, 0);
      }
    }
  }
  body_ += "]}";
  exchange.reply({.body = body_});
}

// --- usage and calls
// -------------------------------------------------------------------------------------------------

void Api::usage(Exchange& exchange) {
  auto form = std::make_shared<UsageReport>();
  ledger::UsageQuery& query = form->query;
  query.consumer = exchange.request().consumer;
  const auto read = [&](const std::string& name, const std::string& value) -> std::string {
    if (name == "since") return read_time(value, query.since);
    if (name == "until") return read_time(value, query.until);
    if (name == "by") return read_by(value, query);
    if (name == "bucket") {
      if (value != "hour" && value != "day" && value != "none") return "must be hour, day or none";
      query.bucket = value == "hour"  ? ledger::Bucket::hour
                     : value == "day" ? ledger::Bucket::day
                                      : ledger::Bucket::none;
      return {};
    }
    query.zone = Zone::find(value);
    return query.zone ? "" : "must be an IANA time zone, like America/Los_Angeles";
  };
  if (!read_query(exchange, {"since", "until", "by", "bucket", "tz"}, read)) return;
  form->csv = exchange.request().header("Accept").find("text/csv") != std::string_view::npos;
  for (const admission::Project& project : parts_.service.directory().projects()) {
    form->zones.emplace(project.setup->name, project.zone);
  }
  query.project_zone = [zones = &form->zones](std::string_view project) {
    const auto found = zones->find(project);
    return found == zones->end() ? Zone::utc() : found->second;
  };
  report(exchange, [form](ledger::Reader& reader, std::shared_ptr<Exchange> held) -> ReportPool::Then {
    std::string text = render_usage(reader.usage(form->query), form->csv ? UsageText::csv : UsageText::json);
    return [held, form, text = std::move(text)] {
      held->reply({.content_type = form->csv ? "text/csv; charset=utf-8" : "application/json", .body = text});
    };
  });
}

void Api::calls(Exchange& exchange) {
  ledger::CallFilter filter;
  const auto number = [](const std::string& text, auto& out, auto least, auto most) {
    const auto read = std::from_chars(text.data(), text.data() + text.size(), out);
    return read.ec == std::errc() && read.ptr == text.data() + text.size() && out >= least && out <= most;
  };
  const auto read = [&](const std::string& name, const std::string& value) -> std::string {
    if (name == "project") filter.project = value;
    if (name == "model") filter.model = value;
    if (name == "consumer") filter.consumer = value;
    if (name == "since") return read_time(value, filter.since);
    if (name == "until") return read_time(value, filter.until);
    if (name == "status") {
      int status = 0;
      if (!number(value, status, 100, 599)) return "must be an HTTP status, 100 to 599";
      filter.status = status;
    }
    if (name == "limit" && !number(value, filter.limit, std::size_t{1}, kMaxPage)) {
      return fmt::format("must be 1 to {}", kMaxPage);
    }
    if (name == "cursor") {
      const auto cursor = ledger::parse_id(value);
      if (!cursor) return "must be the next_cursor of an earlier answer";
      filter.before = *cursor;
    }
    return {};
  };
  if (!read_query(exchange, {"project", "model", "consumer", "status", "since", "until", "limit", "cursor"},
                  read))
    return;
  if (!may_name(exchange, filter.consumer)) return;
  if (const std::string_view own = exchange.request().consumer; !own.empty()) filter.consumer = own;

  const std::string_view accept = exchange.request().header("Accept");
  if (accept.find("application/x-ndjson") != std::string_view::npos) {
    return exchange.stream(200, "application/x-ndjson",
                           call_stream(parts_.reports, std::move(filter), ExportForm::ndjson));
  }
  if (accept.find("text/csv") != std::string_view::npos) {
    return exchange.stream(200, "text/csv; charset=utf-8",
                           call_stream(parts_.reports, std::move(filter), ExportForm::csv));
  }
  report(exchange, [filter](ledger::Reader& reader, std::shared_ptr<Exchange> held) -> ReportPool::Then {
    std::string text = render_page(reader, filter);
    return [held, text = std::move(text)] { held->reply({.body = text}); };
  });
}

// --- observations
// ----------------------------------------------------------------------------------------------------

void Api::observations(Exchange& exchange) {
  body_ = "{\"observations\":[";
  for (const ledger::Observation& seen : parts_.service.observations().all()) {
    if (body_.back() != '[') body_ += ',';
    append_observation(body_, seen, parts_.ledger.name(seen.project));
  }
  body_ += "]}";
  exchange.reply({.body = body_});
}

void Api::forget_observation(Exchange& exchange, std::string_view id_text) {
  const auto id = ledger::parse_id(id_text);
  if (!id || !parts_.service.observations().forget(*id, parts_.now())) {
    return http::reply(exchange, {.status = 404,
                                  .title = {},
                                  .detail = fmt::format("there is no observation {}", id_text),
                                  .errors = {},
                                  .headers = {}});
  }
  spdlog::info("observation {} is forgotten, at the request of {}", id_text, described(exchange.request()));
  exchange.write({.status = 204});
  send_when_committed(exchange);
}

// --- metrics
// ---------------------------------------------------------------------------------------------------------

void Api::metrics(Exchange& exchange) {
  parts_.service.refresh_gauges(parts_.now());
  // Values are copied here; the text is made beside the loop.
  auto snapshot = std::make_shared<telemetry::Snapshot>(parts_.metrics.snapshot());
  const auto held = exchange.shared_from_this();
  // Nothing of this: at a hard stop the text may be under way for longer than we live.
  const auto render = [snapshot, process_metrics = parts_.process_metrics] {
    std::string text = snapshot->render();
    if (process_metrics) process_metrics(text);
    return text;
  };
  const bool queued = parts_.reports.run_without_ledger([held, render]() -> ReportPool::Then {
    return [held, text = render()] { held->reply({.content_type = telemetry::kContentType, .body = text}); };
  });
  if (!queued) held->reply({.content_type = telemetry::kContentType, .body = render()});
}

}  // namespace weir::api
