#include "proxy/relay.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "ledger/call_id.hpp"
#include "provider/request_estimate.hpp"
#include "quota/amount_text.hpp"

#include "proxy/heads.hpp"
#include "proxy/model_name.hpp"

namespace weir::proxy {
namespace {

using admission::Verdict;

// For a crash only: while the daemon runs, it keeps its own calls open (Service::keep). Afterwards the call
// counts as held until its lease ends, though it was sent within moments of its admission.
constexpr Micros kLease = std::chrono::seconds(120);
constexpr int kClientLeft = 499;                        // as nginx has it: no answer was waited for
constexpr std::int64_t kBytesPerToken = 4;              // of text, where the body cannot be read
constexpr std::size_t kSharedParserBytes = 256 * 1024;  // a parser keeps room for its largest document
constexpr std::size_t kMaxModelBytes = 200;

bool is_model_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxModelBytes &&
         std::all_of(name.begin(), name.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

// Of a body that cannot be read.
admission::Guess guess_by_size(std::uint64_t bytes) {
  admission::Guess guess;
  guess.input = std::max<std::int64_t>(static_cast<std::int64_t>(bytes) / kBytesPerToken, 1);
  guess.uncertain = true;
  return guess;
}

bool is_idempotent(std::string_view method) {
  for (const std::string_view known : {"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"}) {
    if (method == known) return true;
  }
  return false;
}

}  // namespace

Relay::Relay(Proxy& proxy, std::shared_ptr<http::Exchange> exchange, const Target& target, std::string query,
             Operation operation, std::string consumer)
    : proxy_(proxy),
      exchange_(std::move(exchange)),
      name_(target.name),
      path_(target.path),
      query_(std::move(query)),
      method_(exchange_->request().method_name),
      host_(exchange_->request().header("host")),
      lines_(request_lines(exchange_->request(), operation.metered)),
      operation_(std::move(operation)),
      consumer_(std::move(consumer)),
      to_head_(exchange_->request().method == http::Method::head),
      has_body_(exchange_->request().chunked || exchange_->request().content_length.value_or(0) > 0),
      accepts_gzip_(accepts_gzip(exchange_->request())),
      content_length_(exchange_->request().content_length),
      content_encoding_(exchange_->request().header("content-encoding")),
      wait_text_(exchange_->request().header("X-Weir-Wait")) {}

// A bug or bad_alloc ends this call, not the process.
template <class Work>
void Relay::guarded(const Work& work) {
  const auto keep = shared_from_this();
  try {
    work();
  } catch (const std::exception& error) {
    spdlog::error("proxied call to {}: {}", name_, error.what());
    if (phase_ == Phase::over) return;
    if (call_ != nullptr) call_->cancel();
    if (sent_at_ || phase_ == Phase::answering) {
      settle(status_ == 0 ? 500 : status_, true);
    } else {
      cancel_admission();
    }
    if (phase_ == Phase::answering) {
      exchange_->abort();
      return finish();
    }
    refuse(500, "an error in the daemon; its log tells more");
  }
}

void Relay::start(std::list<std::shared_ptr<Relay>>::iterator position) {
  position_ = position;
  guarded([this] {
    exchange_->on_abandoned([self = shared_from_this()] { self->client_left(); });
    if (!operation_.metered) {
      upstream_ = proxy_.members(name_).front();
      return send();
    }
    if (content_length_ && *content_length_ <= proxy_.setup_.max_metered_body_bytes)
      body_.reserve(static_cast<std::size_t>(*content_length_) + simdjson::SIMDJSON_PADDING);
    exchange_->receive_body([self = shared_from_this()](std::string_view bytes, bool last) {
      bool more = false;
      self->guarded([&] {
        more = self->phase_ == Phase::collecting ? self->collect(bytes, last) : self->pass_on(bytes, last);
      });
      return more;
    });
  });
}

// --- the request

bool Relay::collect(std::string_view bytes, bool last) {
  body_.append(bytes);
  if (body_.size() > proxy_.setup_.max_metered_body_bytes) {
    if (!operation_.model_in_path) {
      refuse(413,
             fmt::format("the body is larger than proxy.max_metered_body_bytes ({}), so the model that it "
                         "names cannot be read",
                         proxy_.setup_.max_metered_body_bytes));
      return false;
    }
    oversize_ = !last;
    model_ = operation_.model;
    complete_at_ = proxy_.parts_.now().steady;
    admit({}, guess_by_size(content_length_.value_or(body_.size())));
    return false;
  }
  if (last) {
    complete_at_ = proxy_.parts_.now().steady;
    read_request();
  }
  return true;
}

void Relay::read_request() {
  model_ = operation_.model;
  Amounts want;
  admission::Guess guess = guess_by_size(body_.size());
  simdjson::dom::parser own;
  simdjson::dom::parser& parser = body_.size() <= kSharedParserBytes ? proxy_.parser_ : own;
  body_.reserve(body_.size() + simdjson::SIMDJSON_PADDING);
  simdjson::dom::element document;
  const bool plain = content_encoding_.empty() || content_encoding_ == "identity";
  if (plain && parser.parse(body_.data(), body_.size(), false).get(document) == simdjson::SUCCESS) {
    const provider::RequestEstimate estimate = provider::estimate_request(document, operation_.model);
    if (!operation_.model_in_path) {
      std::string_view named = estimate.model;
      if (named.empty() && document["agent"].get(named) != simdjson::SUCCESS) named = {};  // Interactions
      if (named.starts_with("models/")) named.remove_prefix(7);
      model_ = named;
    }
    want.requests = estimate.requests;
    want.images = estimate.images;
    guess.input = std::max<std::int64_t>(estimate.input_tokens, 1);
    guess.output = estimate.output_cap;
    guess.uncertain = estimate.uncertain;
  } else if (!operation_.model_in_path) {
    return refuse(400,
                  plain ? "the body is not valid JSON, so there is no telling which model it is for"
                        : "the body is encoded, so there is no telling which model it is for: send it plain");
  }
  admit(want, guess);
}

void Relay::admit(const Amounts& want, const admission::Guess& guess) {
  admission::Service& service = proxy_.parts_.service;
  if (!is_model_name(model_)) {
    return refuse(400, model_.empty()
                           ? "the body names no model"
                           : "the model's name is longer than 200 characters, or not printable ASCII");
  }
  Micros wait = proxy_.setup_.wait;
  if (!wait_text_.empty()) {
    double wait_s = 0;
    const auto [end, problem] =
        std::from_chars(wait_text_.data(), wait_text_.data() + wait_text_.size(), wait_s);
    if (problem != std::errc() || end != wait_text_.data() + wait_text_.size() || !(wait_s >= 0))
      return refuse(400, "X-Weir-Wait must be a number of seconds, 0 or more");
    wait = Micros(std::llround(std::min(wait_s, 1e6) * 1e6));
  }
  const Now now = proxy_.parts_.now();
  admission::Ask ask;
  ask.route = service.route(name_, model_, consumer_, now);
  ask.want = want;
  ask.guess = guess;
  ask.lease = kLease;
  ask.wait = std::min(wait, service.setup().max_wait);
  if (ask.route == nullptr) return refuse(404, fmt::format("no project or pool is named \"{}\"", name_));
  const admission::Answer answer =
      service.admit(ask, now, [self = shared_from_this()](const admission::Answer& late) {
        self->guarded([&] {
          self->ticket_ = 0;
          self->decided(late, self->proxy_.parts_.now());
        });
      });
  if (answer.verdict == Verdict::waiting) {
    phase_ = Phase::waiting;
    ticket_ = answer.ticket;
    return;
  }
  decided(answer, now);
}

void Relay::decided(const admission::Answer& answer, const Now& now) {
  admission::Service& service = proxy_.parts_.service;
  if (answer.verdict != Verdict::admitted) return refuse(refusal(operation_.form, answer, now, service));
  phase_ = Phase::committing;
  admission_ = answer.call->id;
  ledger::append_id(admission_id_, admission_);
  service.keep(admission_);
  waited_ = answer.waited;
  upstream_ = proxy_.upstream(answer.lane->project_name);
  sent_model_ = model_;
  if (const admission::PoolSetup* pool = proxy_.pool(name_)) {
    // The route's lanes are the pool's projects for the model asked for, then for each fallback.
    const auto& lanes = service.route(name_, model_, consumer_, now)->lanes;
    const auto at = std::find(lanes.begin(), lanes.end(), answer.lane) - lanes.begin();
    const auto turn = static_cast<std::size_t>(at) / pool->projects.size();
    if (turn > 0) sent_model_ = pool->fallback.at(model_).at(turn - 1);
  }
  proxy_.parts_.ledger.wait(
      std::make_shared<ledger::OnCommit>([self = shared_from_this()](ledger::Commit result) {
        self->guarded([&] { self->committed(result); });
      }));
  proxy_.flush_soon();
}

void Relay::committed(ledger::Commit result) {
  if (phase_ != Phase::committing) return;  // the client has left
  if (result == ledger::Commit::failed) {
    admission_ = 0;  // the service has taken it back
    return refuse(503, "the ledger cannot be written, and without it nothing may be admitted");
  }
  send();
}

void Relay::send() {
  phase_ = Phase::sending;
  std::string path = path_;
  if (operation_.metered && sent_model_ != model_) {
    if (operation_.model_in_path) {
      path = operation_.path_for(sent_model_);
    } else if (auto rewritten = with_model(body_, sent_model_)) {
      body_ = std::move(*rewritten);
    } else {
      cancel_admission();
      return refuse(400, "the body's model cannot be replaced by the pool's fallback");
    }
  }
  upstream::Request request;
  request.origin = upstream_->base.origin;
  request.tls = proxy_.tls(*upstream_);
  request.to_head = to_head_;
  request.idempotent = is_idempotent(method_);
  request.streamed = oversize_ || (!operation_.metered && has_body_);
  request.chunked = request.streamed && !content_length_;
  request.head =
      request_head(path, request.streamed ? std::nullopt : std::optional<std::size_t>(body_.size()));
  if (!request.streamed) request.body = std::move(body_);
  if (!operation_.metered) complete_at_ = proxy_.parts_.now().steady;
  call_ = proxy_.client_.call(std::move(request), *this);
  call_->start();
}

std::string Relay::request_head(const std::string& path, std::optional<std::size_t> body_bytes) const {
  const upstream::BaseUrl& base = upstream_->base;
  std::string head;
  head.reserve(512 + lines_.size());
  const bool gemini = upstream_->provider == "gemini";
  head += method_;
  head += ' ';
  head += gemini ? base.path + path : join_paths(base.path, path);
  if (!query_.empty()) head.append("?").append(query_);
  head += " HTTP/1.1\r\nHost: ";
  head += base.origin.authority();
  head += "\r\n";
  head += lines_;
  if (operation_.metered)
    head += accepts_gzip_ ? "Accept-Encoding: gzip\r\n" : "Accept-Encoding: identity\r\n";
  if (!upstream_->api_key.empty()) {
    head += gemini && operation_.form != Form::google_openai ? "x-goog-api-key: " : "Authorization: Bearer ";
    head += upstream_->api_key;
    head += "\r\n";
  }
  const auto length = body_bytes ? std::optional<std::uint64_t>(*body_bytes) : content_length_;
  if (!body_bytes && !content_length_) {
    head += "Transfer-Encoding: chunked\r\n";
  } else if (*length > 0 || (method_ != "GET" && method_ != "HEAD")) {
    head += fmt::format("Content-Length: {}\r\n", *length);
  }
  return head += "\r\n";
}

// The body of an unmetered request, or the rest of one too large to hold.
bool Relay::pass_on(std::string_view bytes, bool last) {
  if (call_ == nullptr) return false;
  const bool room = call_->write(bytes);
  if (phase_ == Phase::over) return false;
  if (last) call_->finish();
  return room;
}

void Relay::on_connected(bool) {
  guarded([this] {
    departed_at_ = proxy_.parts_.now().steady;
    if (oversize_) {
      const bool room = call_->write(std::exchange(body_, {}));
      if (room && phase_ != Phase::over) exchange_->resume_body();
    } else if (!operation_.metered && has_body_) {
      exchange_->receive_body([self = shared_from_this()](std::string_view bytes, bool last) {
        bool more = false;
        self->guarded([&] { more = self->pass_on(bytes, last); });
        return more;
      });
    }
  });
}

void Relay::on_room() {
  guarded([this] { exchange_->resume_body(); });
}

void Relay::on_sent() {
  guarded([this] {
    const Now now = proxy_.parts_.now();
    sent_at_ = now.wall;
    if (operation_.metered) {
      const Micros since = (departed_at_ - complete_at_) - waited_;
      proxy_.metrics_.overhead->observe(std::max(0.0, seconds(since)));
    }
  });
}

// --- the answer

std::string Relay::weir_lines() const {
  std::string lines;
  if (!admission_id_.empty()) lines += "X-Weir-Admission: " + admission_id_ + "\r\n";
  lines += "X-Weir-Project: " + upstream_->name + "\r\n";
  if (operation_.metered) {
    lines += "X-Weir-Model: " + sent_model_ + "\r\nX-Weir-Waited: ";
    append_seconds(lines, waited_);
    lines += "\r\n";
  }
  return lines;
}

// Where an upload goes on, by way of us.
std::string Relay::rewrite_url(std::string_view url) const {
  const auto target = upstream::parse_base_url(url.substr(0, url.find_first_of("?#")));
  if (!target || target->origin != upstream_->base.origin || host_.empty()) return std::string(url);
  const std::size_t scheme = url.find("://");
  const std::size_t path = url.find_first_of("/?", scheme + 3);
  std::string_view rest = path == std::string_view::npos ? std::string_view() : url.substr(path);
  if (rest.starts_with(upstream_->base.path)) rest.remove_prefix(upstream_->base.path.size());
  const std::string_view pathname = rest.substr(0, rest.find('?'));
  std::string rewritten = fmt::format("http://{}/proxy/{}{}", host_, upstream_->name, pathname);
  if (pathname.size() < rest.size()) {
    if (const Query query = without_key(rest.substr(pathname.size() + 1)); !query.rest.empty())
      rewritten.append("?").append(query.rest);
  }
  return rewritten;
}

void Relay::on_head(const upstream::AnswerHead& head) {
  guarded([&] {
    phase_ = Phase::answering;
    status_ = head.status;
    proxy_.metrics_.first_byte->observe(seconds(proxy_.parts_.now().steady - departed_at_));
    if (operation_.metered) {
      meter_.emplace(head.status, head.get("content-encoding"), head.get("retry-after"),
                     proxy_.setup_.max_metered_body_bytes);
      for (std::size_t i = 0; i < head.count(); ++i) {
        const auto [name, value] = head.field(i);
        provider::read_rate_limit(name, value, rate_limits_);
      }
    }
    AnswerLines lines = answer_lines(head, [this](std::string_view url) { return rewrite_url(url); });
    lines.text += weir_lines();
    exchange_->begin({.status = head.status,
                      .reason = head.reason,
                      .headers = lines.text,
                      .content_length = head.content_length,
                      .has_date = lines.has_date,
                      .has_request_id = lines.has_request_id});
  });
}

void Relay::on_body(std::string_view bytes) {
  guarded([&] {
    exchange_->push(bytes);
    if (meter_) meter_->feed(bytes);
  });
}

void Relay::on_quiet() {
  guarded([this] {
    if (exchange_->flush() || phase_ == Phase::over) return;
    call_->pause();
    exchange_->on_drained([self = shared_from_this()] {
      if (self->phase_ == Phase::answering) self->call_->resume();
    });
  });
}

void Relay::on_end() {
  guarded([this] {
    proxy_.metrics_.duration->observe(seconds(proxy_.parts_.now().steady - departed_at_));
    settle(status_, false);
    exchange_->end();
    finish();
  });
}

void Relay::on_failure(const upstream::Failure& failure) {
  using upstream::Fault;
  guarded([&] {
    const bool late = failure.fault == Fault::connect_timeout || failure.fault == Fault::first_byte_timeout ||
                      failure.fault == Fault::idle_timeout;
    proxy_.complain(upstream_->name, failure.text);
    if (phase_ == Phase::answering) {
      settle(status_, true);
      exchange_->abort();
      return finish();
    }
    const int status = late ? 504 : 502;
    if (failure.request_sent) {
      settle(status, true);
    } else {
      cancel_admission();
    }
    refuse(status, failure.text);
  });
}

// --- ends

void Relay::client_left() {
  guarded([this] {
    if (phase_ == Phase::over) return;
    if (ticket_ != 0) proxy_.parts_.service.abandon(ticket_);
    if (call_ != nullptr) call_->cancel();
    if (sent_at_ || phase_ == Phase::answering) {
      settle(status_ != 0 ? status_ : kClientLeft, true);
    } else {
      cancel_admission();
    }
    finish();
  });
}

void Relay::settle(int status, bool partial) {
  if (meter_) meter_->finish();
  if (admission_ == 0) return;
  const Now now = proxy_.parts_.now();
  admission::Settlement settlement;
  settlement.status = status;
  settlement.latency = now.steady - departed_at_;
  settlement.sent_at = sent_at_;
  settlement.partial = partial;
  if (meter_) {
    settlement.usage = meter_->usage();
    settlement.error = meter_->error();
    settlement.rate_limits = std::move(rate_limits_);
  }
  proxy_.parts_.service.settle(std::exchange(admission_, 0), settlement, now);
  proxy_.flush_soon();
}

void Relay::cancel_admission() {
  if (admission_ == 0) return;
  proxy_.parts_.service.cancel(std::exchange(admission_, 0), proxy_.parts_.now());
  proxy_.flush_soon();
}

void Relay::refuse(int status, std::string_view detail) {
  refuse(refusal(operation_.form, status, detail));
}

void Relay::refuse(const Refusal& refused) {
  std::string headers = refused.headers;
  if (upstream_ != nullptr) headers += weir_lines();
  exchange_->reply({.status = refused.status, .body = refused.body, .headers = headers});
  finish();
}

void Relay::finish() {
  if (phase_ == Phase::over) return;
  const auto keep = shared_from_this();
  phase_ = Phase::over;
  exchange_ = nullptr;
  call_ = nullptr;
  proxy_.forget(position_);
}

void Relay::drop() {
  if (call_ != nullptr) call_->cancel();
  finish();
}

}  // namespace weir::proxy
