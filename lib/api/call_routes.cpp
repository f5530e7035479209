// Admissions, settlements, cancellations, records.
#include <fmt/format.h>

#include "api/api.hpp"
#include "api/bodies.hpp"
#include "api/render.hpp"
#include "ledger/call_id.hpp"

namespace weir::api {
namespace {

constexpr std::size_t kMaxKeyBytes = 255;
// A caller's clock may be ahead of ours by this much.
constexpr Micros kClockTolerance = std::chrono::seconds(5);

void bad_fields(http::Exchange& exchange, Errors errors) {
  http::reply(exchange,
              {.status = 400,
               .title = {},
               .detail = errors.size() == 1 ? fmt::format("{} {}", errors[0].pointer, errors[0].detail)
                                            : fmt::format("{} fields are wrong", errors.size()),
               .errors = std::move(errors),
               .headers = {}});
}

void unknown_project(http::Exchange& exchange, std::string_view project) {
  http::reply(exchange, {.status = 404,
                         .title = {},
                         .detail = fmt::format(
                             "no project or pool is named \"{}\"; the configuration lists them", project),
                         .errors = {},
                         .headers = {}});
}

void unknown_admission(http::Exchange& exchange, std::string_view id) {
  http::reply(exchange, {.status = 404,
                         .title = {},
                         .detail = fmt::format("there is no admission {}", id),
                         .errors = {},
                         .headers = {}});
}

void unavailable(http::Exchange& exchange, std::string detail) {
  http::reply(exchange, {.status = 503,
                         .title = {},
                         .detail = std::move(detail),
                         .errors = {},
                         .headers = "Retry-After: 1\r\n"});
}

void ledger_fails(http::Exchange& exchange, std::string_view what, const ledger::Health& health) {
  unavailable(exchange, fmt::format("the ledger cannot be written, and on_failure = \"deny\" or a full spool "
                                    "forbids {} without it: {}",
                                    what, health.last_error));
}

std::string_view unquoted(std::string_view key) {
  if (key.size() >= 2 && key.front() == '"' && key.back() == '"') return key.substr(1, key.size() - 2);
  return key;
}

// Each token holder has keys of its own: another's answer is none of its business.
admission::KeyHash key_of(std::string_view consumer, std::string_view text) {
  if (consumer.empty()) return admission::hash_of(text);
  return admission::hash_of(fmt::format("{}\n{}", consumer, text));
}

// False: the caller's token is that of another consumer.
bool may_close(const http::Exchange& exchange, std::string_view consumer) {
  const std::string_view own = exchange.request().consumer;
  return own.empty() || own == consumer;
}

AdmissionText text_of(const admission::OpenCall& call) {
  return {.id = call.id,
          .project = call.lane->project_name,
          .model = call.lane->model,
          .admitted_at = call.admitted_wall(),
          .lease = call.lease,
          .waited = call.waited,
          .charged = call.held,
          .estimated = call.estimate > 0};
}

}  // namespace

// --- admissions
// ------------------------------------------------------------------------------------------------------

void Api::admit(Exchange& exchange) {
  const auto document = json(exchange);
  if (!document) return;
  Errors errors;
  admission::Service& service = parts_.service;
  const AdmissionBody body = read_admission(*document, service.setup().max_wait, errors);
  if (!errors.empty()) return bad_fields(exchange, std::move(errors));

  const auto consumer = account(exchange, body.consumer);
  if (!consumer) return;

  std::optional<admission::KeyHash> key;
  std::uint64_t body_hash = 0;
  if (const std::string_view text = unquoted(exchange.request().header("Idempotency-Key")); !text.empty()) {
    if (text.size() > kMaxKeyBytes) {
      return bad_fields(exchange,
                        {{"", fmt::format("Idempotency-Key must be at most {} bytes", kMaxKeyBytes)}});
    }
    key = key_of(exchange.request().consumer, text);
    body_hash = admission::hash_of(exchange.request().body).low >> 1;
    if (repeat_by_key(exchange, *key, body_hash)) return;
  }

  const Now now = parts_.now();
  const admission::Route* route = service.route(body.project, body.model, *consumer, now);
  if (route == nullptr) return unknown_project(exchange, body.project);
  const admission::Ask ask{.route = route,
                           .want = body.want,
                           .guess = body.guess,
                           .priority = body.priority,
                           .lease = body.lease,
                           .wait = body.wait};

  const auto remember = [this, key, body_hash](const admission::Answer& answer, const Now& at) {
    if (!key) return;
    if (answer.verdict != admission::Verdict::admitted) return parts_.service.idempotency().forget(*key);
    parts_.service.idempotency().remember(*key, {body_hash, answer.call->id}, at.steady);
    parts_.ledger.append(ledger::IdempotencyKey{
        .hash_high = key->high, .hash_low = key->low, .body_hash = body_hash, .call = answer.call->id});
  };
  if (body.wait == Micros(0)) {
    const admission::Answer decided = service.admit(ask, now);
    remember(decided, now);
    return answer(exchange, decided, now, body.project);
  }

  const auto held = exchange.shared_from_this();
  const std::string project(body.project);
  const admission::Answer decided =
      service.admit(ask, now, [this, held, remember, project](const admission::Answer& late) {
        held->on_abandoned(nullptr);  // it is out of the line: nothing is left to give up
        const Now then = parts_.now();
        remember(late, then);
        answer(*held, late, then, project);
      });
  if (decided.verdict != admission::Verdict::waiting) {
    remember(decided, now);
    return answer(exchange, decided, now, project);
  }
  if (key) service.idempotency().remember(*key, {body_hash, 0}, now.steady);
  exchange.on_abandoned([this, ticket = decided.ticket, key] {
    parts_.service.abandon(ticket);
    if (key) parts_.service.idempotency().forget(*key);
  });
}

bool Api::repeat_by_key(Exchange& exchange, const admission::KeyHash& key, std::uint64_t body_hash) {
  const auto first = parts_.service.idempotency().find(key);
  if (!first) return false;
  if (first->body_hash != body_hash) {
    http::reply(exchange,
                {.status = 422,
                 .title = {},
                 .detail = "this Idempotency-Key was used with another body; use a new key for a new call",
                 .errors = {},
                 .headers = {}});
    return true;
  }
  if (first->call == 0) {
    http::reply(exchange,
                {.status = 409,
                 .title = {},
                 .detail = "the first request with this Idempotency-Key still waits for its admission",
                 .errors = {},
                 .headers = {}});
    return true;
  }
  if (const admission::OpenCall* call = parts_.service.open_call(first->call)) {
    body_.clear();
    append_admission(body_, text_of(*call));
    exchange.write({.status = 201, .body = body_});
    send_when_committed(exchange);
    return true;
  }
  look_up(exchange, first->call, [this](Exchange& held, const ledger::Call& call) {
    const ledger::Key& names = call.admission.key;
    body_.clear();
    append_admission(body_, {.id = call.admission.id,
                             .project = parts_.ledger.name(names.project),
                             .model = parts_.ledger.name(names.model),
                             .admitted_at = call.admitted_at(),
                             .lease = Micros(call.admission.lease_us),
                             .waited = Micros(call.admission.waited_us),
                             .charged = call.admission.held,
                             .estimated = call.admission.estimate > 0});
    held.reply({.status = 201, .body = body_});
  });
  return true;
}

void Api::answer(Exchange& exchange, const admission::Answer& answer, const Now& now,
                 std::string_view asked_project) {
  using admission::Verdict;
  body_.clear();
  headers_.clear();
  switch (answer.verdict) {
    case Verdict::admitted:
      append_admission(body_, text_of(*answer.call));
      exchange.write({.status = 201, .body = body_});
      return send_when_committed(exchange);
    case Verdict::denied:
    case Verdict::timed_out:
    case Verdict::line_full:
      append_denial(body_, headers_, answer, now, parts_.service.book(), parts_.service.waiting());
      return exchange.reply(
          {.status = 429, .content_type = "application/problem+json", .body = body_, .headers = headers_});
    case Verdict::never_fits:
      append_never_fits(body_, answer, parts_.service.book());
      return exchange.reply({.status = 422, .content_type = "application/problem+json", .body = body_});
    case Verdict::too_many_open:
      return unavailable(
          exchange,
          fmt::format("{} admissions are open in project {} and others, the most that queue.max_open "
                      "allows: settle them, or give them shorter leases",
                      parts_.service.open_calls(), asked_project));
    case Verdict::removed:
      return unknown_project(exchange, asked_project);
    case Verdict::ledger_failing:
      return ledger_fails(exchange, "admissions", parts_.ledger.health());
    case Verdict::waiting:
      return;
  }
}

// --- settlements
// -----------------------------------------------------------------------------------------------------

void Api::settle(Exchange& exchange, std::string_view id_text) {
  const auto document = json(exchange);
  if (!document) return;
  Errors errors;
  const admission::Settlement settlement = read_settlement(*document, errors);
  if (!errors.empty()) return bad_fields(exchange, std::move(errors));
  const auto id = ledger::parse_id(id_text);
  if (!id) return unknown_admission(exchange, id_text);

  const admission::OpenCall* open = parts_.service.open_call(*id);
  if (open != nullptr && !may_close(exchange, open->lane->consumer))
    return unknown_admission(exchange, id_text);
  const admission::Settled settled = parts_.service.settle(*id, settlement, parts_.now());
  if (settled.verdict != admission::SettleVerdict::not_open) {
    return answer_settled(exchange, settled, settled.lane->project_name, settled.lane->model,
                          settled.lane->consumer);
  }
  look_up(exchange, *id, [this, settlement](Exchange& held, const ledger::Call& call) {
    const ledger::Key& names = call.admission.key;
    answer_settled(held, parts_.service.settle_closed(call, settlement, parts_.now()),
                   parts_.ledger.name(names.project), parts_.ledger.name(names.model),
                   parts_.ledger.name(names.consumer));
  });
}

void Api::answer_settled(Exchange& exchange, const admission::Settled& settled, std::string_view project,
                         std::string_view model, std::string_view consumer) {
  using admission::SettleVerdict;
  switch (settled.verdict) {
    case SettleVerdict::settled:
    case SettleVerdict::repeated:
      body_.clear();
      append_settled(body_, project, model, consumer, settled.outcome);
      exchange.write({.body = body_});
      return send_when_committed(exchange);
    case SettleVerdict::contradicted:
      return http::reply(
          exchange, {.status = 409,
                     .title = {},
                     .detail = "this admission was settled before, and with something else; GET /v1/calls "
                               "shows with what",
                     .errors = {},
                     .headers = {}});
    case SettleVerdict::gone:
      return http::reply(exchange, {.status = 410,
                                    .title = {},
                                    .detail = "this admission was cancelled",
                                    .errors = {},
                                    .headers = {}});
    case SettleVerdict::not_open:
      return http::reply(exchange, {.status = 410,
                                    .title = {},
                                    .detail = "the project of this admission is not configured any more",
                                    .errors = {},
                                    .headers = {}});
  }
}

void Api::cancel(Exchange& exchange, std::string_view id_text) {
  const auto id = ledger::parse_id(id_text);
  if (!id) return unknown_admission(exchange, id_text);
  const admission::OpenCall* open = parts_.service.open_call(*id);
  if (open != nullptr && !may_close(exchange, open->lane->consumer))
    return unknown_admission(exchange, id_text);
  const admission::SettleVerdict verdict = parts_.service.cancel(*id, parts_.now());
  if (verdict != admission::SettleVerdict::not_open) return answer_cancelled(exchange, verdict);
  look_up(exchange, *id, [this](Exchange& held, const ledger::Call& call) {
    answer_cancelled(held, parts_.service.cancel_closed(call, parts_.now()));
  });
}

void Api::answer_cancelled(Exchange& exchange, admission::SettleVerdict verdict) {
  using admission::SettleVerdict;
  // Once more is no fault: the first answer may have been lost, or a 503 of a failing disk.
  if (verdict == SettleVerdict::settled || verdict == SettleVerdict::repeated) {
    exchange.write({.status = 204});
    return send_when_committed(exchange);
  }
  const bool contradicted = verdict == SettleVerdict::contradicted;
  http::reply(exchange, {.status = contradicted ? 409 : 410,
                         .title = {},
                         .detail = contradicted ? "this admission was settled: its call was sent"
                                                : "the project of this admission is not configured any more",
                         .errors = {},
                         .headers = {}});
}

void Api::look_up(Exchange& exchange, ledger::CallId id,
                  std::function<void(Exchange&, const ledger::Call&)> found) {
  if (!looked_up_.insert(id).second)
    return unavailable(exchange, "another request about this admission is under way");
  const auto held = exchange.shared_from_this();
  parts_.ledger.wait(std::make_shared<ledger::OnCommit>([this, held, id,
                                                         found = std::move(found)](ledger::Commit result) {
    if (result != ledger::Commit::durable) {
      looked_up_.erase(id);
      return unavailable(
          *held, "the ledger cannot be written, so what it says of this admission is not the last word: " +
                     parts_.ledger.health().last_error);
    }
    const bool queued = parts_.reports.run(
        [this, held, id, found](ledger::Reader& reader) -> ReportPool::Then {
          auto call = reader.call(id);
          return [this, held, id, found, call = std::move(call)] {
            looked_up_.erase(id);
            if (call && may_close(*held, parts_.ledger.name(call->admission.key.consumer))) {
              found(*held, *call);
            } else {
              std::string text;
              ledger::append_id(text, id);
              unknown_admission(*held, text);
            }
          };
        },
        [this, held, id](const std::string& text) {
          looked_up_.erase(id);
          unavailable(*held, "the ledger cannot be read: " + text);
        });
    if (!queued) {
      looked_up_.erase(id);
      unavailable(*held, "too many reports are under way");
    }
  }));
  flush_soon();
}

// --- calls without admission
// -----------------------------------------------------------------------------------------

void Api::record(Exchange& exchange) {
  const auto document = json(exchange);
  if (!document) return;
  Errors errors;
  const CallBody body = read_call(*document, errors);
  const Now now = parts_.now();
  if (body.at && *body.at > now.wall + kClockTolerance)
    errors.push_back({"/at", "must not lie in the future"});
  if (!errors.empty()) return bad_fields(exchange, std::move(errors));
  const auto consumer = account(exchange, body.consumer);
  if (!consumer) return;
  admission::Lane* lane = parts_.service.directory().lane(body.project, body.model, *consumer, now.wall);
  if (lane == nullptr) {
    if (parts_.service.directory().is_pool(body.project)) {
      return bad_fields(exchange, {{"/project", "is a pool: name the project that made the call"}});
    }
    return unknown_project(exchange, body.project);
  }
  // Before anything is charged: who asks again until the disk is back must not be charged each time.
  if (parts_.ledger.admission_outlook() == ledger::Commit::failed)
    return ledger_fails(exchange, "records", parts_.ledger.health());
  const WallTime at = std::min(body.at.value_or(now.wall), now.wall);
  const admission::Settled settled = parts_.service.record(*lane, at, Amounts{}, body.settlement, now);
  body_.clear();
  append_settled(body_, lane->project_name, lane->model, lane->consumer, settled.outcome);
  exchange.write({.status = 201, .body = body_});
  send_when_committed(exchange);
}

}  // namespace weir::api
