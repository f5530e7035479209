#include "api/api.hpp"

#include <boost/asio/post.hpp>
#include <fmt/format.h>

#include "api/page.hpp"
#include "api/rights.hpp"
#include "http/uri.hpp"

namespace weir::api {
namespace {

using http::Method;

// The part of `path` after `prefix` and before `suffix`; nullopt if it has not that form or more segments.
std::optional<std::string_view> between(std::string_view path, std::string_view prefix,
                                        std::string_view suffix) {
  if (path.size() <= prefix.size() + suffix.size()) return std::nullopt;
  if (path.substr(0, prefix.size()) != prefix) return std::nullopt;
  if (path.substr(path.size() - suffix.size()) != suffix) return std::nullopt;
  const std::string_view middle = path.substr(prefix.size(), path.size() - prefix.size() - suffix.size());
  if (middle.find('/') != std::string_view::npos) return std::nullopt;
  return middle;
}

std::string_view fault_of(simdjson::error_code error) {
  // It does not tell the two apart, nor where.
  if (error == simdjson::NUMBER_ERROR) return "a number is malformed, or out of range";
  return simdjson::error_message(error);
}

// What a consumer's token may come to.
bool is_for_consumers(std::string_view path) {
  for (const std::string_view own : {"/v1/admissions", "/v1/calls", "/v1/quota", "/v1/usage", "/v1/events"}) {
    if (path.starts_with(own) && (path.size() == own.size() || path[own.size()] == '/')) return true;
  }
  return path == "/openapi.json" || path == "/livez" || path == "/readyz" || page_file(path) != nullptr;
}

void not_allowed(http::Exchange& exchange, std::string_view allow) {
  http::reply(exchange, {.status = 405,
                         .title = {},
                         .detail = fmt::format("{} allows only {}", exchange.request().path, allow),
                         .errors = {},
                         .headers = fmt::format("Allow: {}\r\n", allow)});
}

}  // namespace

Api::Api(Parts parts)
    : parts_(std::move(parts)), events_(parts_.loop, parts_.service, parts_.ledger, parts_.now) {}

void Api::stopping() {
  stopping_ = true;
  events_.stop();
}

void Api::handle(Exchange& exchange) {
  const http::Request& request = exchange.request();
  const std::string_view path = request.path;
  const bool get = request.method == Method::get || request.method == Method::head;
  const bool post = request.method == Method::post;
  const bool del = request.method == Method::del;

  if (!request.consumer.empty() && !is_for_consumers(path)) {
    return forbidden(exchange, fmt::format("{} is for the daemon's own token; this one is consumer {}'s",
                                           path, request.consumer));
  }
  if (path == "/v1/admissions") return post ? admit(exchange) : not_allowed(exchange, "POST");
  if (const auto id = between(path, "/v1/admissions/", "/settlement")) {
    return post ? settle(exchange, *id) : not_allowed(exchange, "POST");
  }
  if (const auto id = between(path, "/v1/admissions/", "")) {
    return del ? cancel(exchange, *id) : not_allowed(exchange, "DELETE");
  }
  if (path == "/v1/calls") {
    if (post) return record(exchange);
    return get ? calls(exchange) : not_allowed(exchange, "GET, HEAD, POST");
  }
  if (path == "/v1/quota") return get ? quota(exchange) : not_allowed(exchange, "GET, HEAD");
  if (path == "/v1/usage") return get ? usage(exchange) : not_allowed(exchange, "GET, HEAD");
  if (path == "/v1/observations") return get ? observations(exchange) : not_allowed(exchange, "GET, HEAD");
  if (const auto id = between(path, "/v1/observations/", "")) {
    return del ? forget_observation(exchange, *id) : not_allowed(exchange, "DELETE");
  }
  if (path == "/v1/events") return get ? events_.serve(exchange) : not_allowed(exchange, "GET, HEAD");
  if (path == "/v1/reload") return post ? reload(exchange) : not_allowed(exchange, "POST");
  if (path == "/metrics") return get ? metrics(exchange) : not_allowed(exchange, "GET, HEAD");
  if (path == "/livez") {
    return get ? exchange.reply({.content_type = "text/plain; charset=utf-8", .body = "ok\n"})
               : not_allowed(exchange, "GET, HEAD");
  }
  if (path == "/readyz") return get ? ready(exchange) : not_allowed(exchange, "GET, HEAD");
  if (path == "/openapi.json")
    return get ? exchange.reply({.body = openapi()}) : not_allowed(exchange, "GET, HEAD");
  if (const PageFile* file = page_file(path))
    return get ? serve(exchange, *file) : not_allowed(exchange, "GET, HEAD");
  http::reply(exchange,
              {.status = 404,
               .title = {},
               .detail = fmt::format("there is nothing at {}; GET /openapi.json lists what there is", path),
               .errors = {},
               .headers = {}});
}

std::optional<std::string_view> Api::account(Exchange& exchange, std::string_view consumer) {
  if (!may_name(exchange, consumer)) return std::nullopt;
  if (const std::string_view own = exchange.request().consumer; !own.empty()) return own;
  return consumer.empty() ? "default" : consumer;
}

std::optional<simdjson::dom::element> Api::json(Exchange& exchange) {
  const std::string_view body = exchange.request().body;
  simdjson::dom::element document;
  // The connection leaves room behind the body that simdjson may read, so nothing is copied.
  const auto error = parser_.parse(body.data(), body.size(), false).get(document);
  if (error == simdjson::SUCCESS) return document;
  http::reply(exchange,
              {.status = 400,
               .title = {},
               .detail = body.empty() ? std::string("the body is empty; JSON is expected")
                                      : fmt::format("the body is not valid JSON: {}", fault_of(error)),
               .errors = {},
               .headers = {}});
  return std::nullopt;
}

void Api::send_when_committed(Exchange& exchange) {
  parts_.ledger.wait(exchange.shared_from_this());
  flush_soon();
}

void Api::flush_soon() {
  if (flush_posted_) return;
  flush_posted_ = true;
  boost::asio::post(parts_.loop, [this] {
    flush_posted_ = false;
    parts_.ledger.flush();
  });
}

void Api::report(Exchange& exchange,
                 std::function<ReportPool::Then(ledger::Reader&, std::shared_ptr<Exchange>)> work) {
  const auto held = exchange.shared_from_this();
  const auto failed = [held](const std::string& text) {
    http::reply(*held, {.status = 503,
                        .title = {},
                        .detail = "the ledger cannot be read: " + text,
                        .errors = {},
                        .headers = "Retry-After: 1\r\n"});
  };
  const bool queued = parts_.reports.run(
      [work = std::move(work), held](ledger::Reader& reader) { return work(reader, held); }, failed);
  if (queued) return;
  http::reply(exchange, {.status = 503,
                         .title = {},
                         .detail = "too many reports are under way",
                         .errors = {},
                         .headers = "Retry-After: 1\r\n"});
}

void Api::ready(Exchange& exchange) {
  const bool takes_calls = parts_.ledger.admission_outlook() != ledger::Commit::failed;
  if (!stopping_ && takes_calls) {
    exchange.reply({.content_type = "text/plain; charset=utf-8", .body = "ok\n"});
    return;
  }
  const std::string why = stopping_ ? std::string("stopping\n") : parts_.ledger.health().last_error + "\n";
  exchange.reply({.status = 503, .content_type = "text/plain; charset=utf-8", .body = why});
}

}  // namespace weir::api
