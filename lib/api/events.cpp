// One thing, if a long one: who listens, what is gathered for them, and how each happening becomes an event.
#include "api/events.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "admission/refusal_text.hpp"
#include "api/render.hpp"
#include "http/problem.hpp"
#include "http/uri.hpp"
#include "ledger/call_id.hpp"
#include "text/suggest.hpp"

namespace weir::api {
namespace {

constexpr std::size_t kMostLooks = 2000;  // at limits, in one gathering

constexpr std::string_view kHead =
    "Content-Type: text/event-stream\r\nCache-Control: no-store\r\nX-Accel-Buffering: no\r\n";
constexpr std::string_view kRetry = "retry: 2000\n";
constexpr std::string_view kReconfigured =
    "{\"reason\":\"a new configuration is in force: load the state again\"}";
constexpr std::string_view kStartAnew =
    "{\"reason\":\"events were missed: load the state again; what comes next follows on it\"}";

void refuse(http::Exchange& exchange, int status, std::string detail, std::string headers = {}) {
  http::reply(exchange, {.status = status,
                         .title = {},
                         .detail = std::move(detail),
                         .errors = {},
                         .headers = std::move(headers)});
}

std::string_view word(admission::Verdict verdict) {
  switch (verdict) {
    case admission::Verdict::timed_out:
      return "timed_out";
    case admission::Verdict::line_full:
      return "line_full";
    case admission::Verdict::never_fits:
      return "never_fits";
    default:
      return "denied";
  }
}

}  // namespace

Events::Events(boost::asio::io_context& loop, admission::Service& service, ledger::Ledger& ledger,
               std::function<Now()> now)
    : service_(service),
      ledger_(ledger),
      now_(std::move(now)),
      timer_(loop),
      ring_(static_cast<std::uint64_t>(now_().steady.time_since_epoch().count()), {}) {}

// --- clients

bool Events::read_query(http::Exchange& exchange, Client& client) {
  static const std::vector<std::string_view> kKnown = {"types", "project"};
  client.types.set();
  for (const auto& [name, value] : http::query_params(exchange.request().query)) {
    if (name == "project") {
      client.project = value;
      if (value.empty() || service_.directory().project(value) != nullptr) continue;
      refuse(exchange, 404, fmt::format("no project is named \"{}\"", value));
      return false;
    }
    if (name != "types") {
      refuse(exchange, 400, fmt::format("unknown parameter \"{}\"{}", name, did_you_mean(name, kKnown)));
      return false;
    }
    client.types.reset();
    client.types.set(static_cast<std::size_t>(EventType::omitted));
    client.types.set(static_cast<std::size_t>(EventType::reset));
    for (std::string_view rest = value; !rest.empty();) {
      const std::string_view one = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(rest.size(), one.size() + 1));
      const auto type = parse_event_type(one);
      if (!type) {
        refuse(exchange, 400,
               "parameter types: must be a list of admission, settlement, denial, limit, observation");
        return false;
      }
      client.types.set(static_cast<std::size_t>(*type));
    }
  }
  return true;
}

void Events::serve(http::Exchange& exchange) {
  if (exchange.request().method == http::Method::head)
    return exchange.reply({.content_type = "text/event-stream", .headers = "Cache-Control: no-store\r\n"});
  auto client = std::make_shared<Client>();
  if (!read_query(exchange, *client)) return;
  if (stopped_) return refuse(exchange, 503, "the daemon is stopping", "Retry-After: 2\r\n");
  if (clients_.size() >= kMaxClients) {
    return refuse(exchange, 503,
                  fmt::format("{} clients listen already, the most there may be", clients_.size()),
                  "Retry-After: 10\r\n");
  }
  if (!listening_) begin_listening();
  const std::string_view last_id = exchange.request().header("Last-Event-ID");
  const auto resumed = ring_.after(last_id);
  client->next = resumed.value_or(ring_.end());
  client->sent_at = now_().steady;
  client->exchange = exchange.shared_from_this();
  client->consumer = exchange.request().consumer;
  clients_.push_back(client);
  // The callback must not keep the exchange alive.
  exchange.on_abandoned([this, weak = std::weak_ptr(client)] {
    serving([&] {
      if (const auto gone = weak.lock()) gone->gone = true;
    });
  });
  exchange.begin({.status = 200, .headers = kHead});
  std::string first(kRetry);
  ring_.append_id_line(first, client->next - 1);
  if (!last_id.empty() && !resumed) first.append("event: reset\ndata: ").append(kStartAnew) += '\n';
  exchange.push(first += '\n');
  serving([&] { pump(*client); });
}

bool Events::concerns(EventType type, const Subject& subject, const Client& client) {
  const auto& [project, consumer] = subject;
  if (!client.project.empty() && !project.empty() && project != client.project) return false;
  if (client.consumer.empty()) return true;
  return type != EventType::observation && (consumer.empty() || consumer == client.consumer);
}

std::string_view Events::text_for(const Client& client, const Event& event, std::string& buffer) {
  if (!client.types.test(static_cast<std::size_t>(event.type))) return {};
  if (event.type != EventType::omitted) {
    return concerns(event.type, event.subject, client) ? std::string_view(event.text) : std::string_view();
  }
  const Omissions::Counts counts = event.omissions.count(
      [&client](const Subject& subject) { return concerns(EventType::omitted, subject, client); });
  bool some = false;
  buffer = event.text;
  for (std::size_t type = 0; type < counts.size(); ++type) {
    const std::uint32_t count = client.types.test(type) ? counts[type] : 0;
    some = some || count > 0;
    buffer +=
        fmt::format("{}\"{}\":{}", type == 0 ? '{' : ',', to_string(static_cast<EventType>(type)), count);
  }
  buffer += "}\n\n";
  return some ? std::string_view(buffer) : std::string_view();
}

// Sends what the client has not had yet, as far as its connection takes it.
void Events::pump(Client& client) {
  if (client.gone) return;
  if (client.next < ring_.begin()) {
    client.gone = true;  // it reads so slowly that what it has not had is gone
    return client.exchange->drop();
  }
  if (client.blocked) return;
  std::string buffer;
  for (bool more = true; more;) {
    std::size_t pushed = 0;
    for (; client.next < ring_.end() && pushed < kChunkBytes; ++client.next) {
      const std::string_view text = text_for(client, ring_[client.next], buffer);
      if (text.empty()) continue;
      client.exchange->push(text);
      pushed += text.size();
    }
    more = pushed >= kChunkBytes;
    if (pushed > 0) client.sent_at = now_().steady;
    if (client.exchange->flush()) continue;
    if (client.gone) return;
    client.blocked = true;
    const auto self = std::find_if(clients_.begin(), clients_.end(),
                                   [&](const auto& other) { return other.get() == &client; });
    return client.exchange->on_drained([this, weak = std::weak_ptr(*self)] {
      serving([&] {
        const auto drained = weak.lock();
        if (!drained) return;
        drained->blocked = false;
        pump(*drained);
      });
    });
  }
}

// Writing to a client may end it, and others: they are taken off the list when nobody walks along it.
template <class Work>
void Events::serving(const Work& work) {
  ++serving_;
  work();
  if (--serving_ > 0 || clients_.empty()) return;
  clients_.remove_if([](const auto& client) { return client->gone; });
  if (clients_.empty()) last_client_ = now_().steady;
}

void Events::tick(const Now& now) {
  if (!listening_) return;
  if (clients_.empty() && now.steady - last_client_ >= kLinger) {
    listening_ = false;
    service_.watch(nullptr);
    ring_.clear();
    return;
  }
  serving([&] {
    for (const auto& client : clients_) {
      if (!client->gone && !client->blocked && now.steady - client->sent_at >= kHeartbeat) {
        client->exchange->push(":\n\n");
        client->sent_at = now.steady;
        pump(*client);
      }
    }
  });
  if (!armed_) gather();
}

void Events::stop() {
  stopped_ = true;
  service_.watch(nullptr);
  timer_.cancel();
  end_streams();
}

void Events::end_streams() {
  if (!clients_.empty()) last_client_ = now_().steady;
  for (const auto& client : std::exchange(clients_, {})) {
    client->exchange->on_abandoned(nullptr);
    if (client->blocked) {
      client->exchange->drop();
    } else {
      client->exchange->end();
    }
  }
}

// --- gathering

void Events::begin_listening() {
  listening_ = true;
  service_.watch(this);
  // What is as it is now is not told: the client asks for that.
  const Now now = now_();
  seen_.assign(service_.book().size(), {});
  service_.line().count_waiting(waiting_);
  for (quota::LimitId id = 0; id < seen_.size(); ++id)
    seen_[id] = {true, service_.book().view(id, now), id < waiting_.size() ? waiting_[id] : 0};
  observations_.clear();
  for (const ledger::Observation& seen : service_.observations().all()) observations_.push_back(seen.id);
}

void Events::limits_changed() {
  if (!listening_) return;
  begin_listening();
  drafts_.push_back(
      {.type = EventType::reset, .data = std::string(kReconfigured)});  // in its place among the others
  gather_soon();
}

std::string* Events::draft(EventType type, const admission::Lane& lane) {
  const auto kind = static_cast<std::size_t>(type);
  if (drafted_[kind] >= kMostOfAKind) {
    if (!omitted_.add(type, lane.project_name, lane.consumer)) too_many_omitted_ = true;
    return nullptr;
  }
  ++drafted_[kind];
  drafts_.push_back({.type = type, .subject = {lane.project_name, lane.consumer}});
  return &drafts_.back().data;
}

void Events::gather_soon() {
  if (armed_) return;
  armed_ = true;
  timer_.expires_after(kGather);
  timer_.async_wait([this](const boost::system::error_code& error) {
    armed_ = false;
    if (!error && listening_ && !stopped_) gather();
  });
}

void Events::gather() {
  const Now now = now_();
  if (!clients_.empty()) {
    gather_limits(now);
    gather_observations();
  }
  if (std::exchange(too_many_omitted_, false)) {
    drafts_.push_back({.type = EventType::reset, .data = std::string(kStartAnew)});
  } else if (!omitted_.empty()) {
    drafts_.push_back({.type = EventType::omitted, .omissions = std::move(omitted_)});
  }
  omitted_ = {};
  drafted_ = {};
  if (drafts_.empty()) return;
  ledger_.wait(std::make_shared<ledger::OnCommit>(
      [this, drafts = std::exchange(drafts_, {})](ledger::Commit result) mutable {
        publish(std::move(drafts), result);
      }));
  ledger_.flush();
}

void Events::gather_limits(const Now& now) {
  quota::Book& book = service_.book();
  if (book.size() == 0) return;
  if (seen_.size() < book.size()) seen_.resize(book.size());
  service_.line().count_waiting(waiting_);
  std::size_t told = 0;
  const std::size_t looks = std::min(book.size(), kMostLooks);
  for (std::size_t look = 0; look < looks; ++look) {
    if (told == kMostOfAKind) return gather_soon();
    const quota::LimitId id = next_limit_ < book.size() ? next_limit_ : 0;
    next_limit_ = id + 1;
    const Seen is{true, book.view(id, now), id < waiting_.size() ? waiting_[id] : 0};
    Seen& was = seen_[id];
    if (was.known && was.view == is.view && was.waiting == is.waiting) continue;
    was = is;
    const std::string& project = service_.directory().owner(id).setup->name;
    drafts_.push_back({.type = EventType::limit, .subject = {project, book.spec(id).consumer}});
    append_limit(drafts_.back().data, project, book.spec(id), is.view,
                 service_.forecasts().forecast(id, is.view, now), is.waiting);
    ++told;
  }
}

void Events::gather_observations() {
  const std::vector<ledger::Observation>& all = service_.observations().all();
  auto was = observations_.begin();
  bool changed = false;
  const auto forgotten = [&](std::int64_t id) {
    changed = true;
    drafts_.push_back({.type = EventType::observation, .data = "{\"id\":\""});
    ledger::append_id(drafts_.back().data, id);
    drafts_.back().data += "\",\"forgotten\":true}";
  };
  for (const ledger::Observation& seen : all) {
    for (; was != observations_.end() && *was < seen.id; ++was) forgotten(*was);
    if (was != observations_.end() && *was == seen.id) {
      ++was;
      continue;
    }
    changed = true;
    const std::string_view project = ledger_.name(seen.project);
    drafts_.push_back({.type = EventType::observation, .subject = {std::string(project), {}}});
    append_observation(drafts_.back().data, seen, project);
  }
  for (; was != observations_.end(); ++was) forgotten(*was);
  if (!changed) return;
  observations_.clear();
  for (const ledger::Observation& seen : all) observations_.push_back(seen.id);
}

void Events::publish(Drafts drafts, ledger::Commit result) {
  if (!listening_ || stopped_) return;
  if (result == ledger::Commit::failed) {
    // Some of it did not happen, in the end.
    seen_.assign(seen_.size(), {});
    ring_.add(EventType::reset, {}, kStartAnew);
  } else {
    for (Draft& draft : drafts) {
      if (draft.type == EventType::omitted) {
        ring_.add(std::move(draft.omissions));
      } else {
        ring_.add(draft.type, std::move(draft.subject), draft.data);
      }
    }
  }
  serving([this] {
    for (const auto& client : clients_) pump(*client);
  });
}

// --- what the service does

void Events::admitted(const admission::OpenCall& call) {
  gather_soon();
  const admission::Lane& lane = *call.lane;
  std::string* data = draft(EventType::admission, lane);
  if (data == nullptr) return;
  ledger::Call record;
  record.admission.id = call.id;
  record.admission.skew_us = call.skew.count();
  record.admission.lease_us = call.lease.count();
  append_call(*data, record, lane.project_name, lane.model, lane.consumer);
}

void Events::closed(const admission::Lane& lane, const ledger::Call& call) {
  gather_soon();
  if (std::string* data = draft(EventType::settlement, lane))
    append_call(*data, call, lane.project_name, lane.model, lane.consumer);
}

void Events::refused(const admission::Answer& answer, const Now& now) {
  gather_soon();
  const admission::Lane& lane = *answer.lane;
  std::string* data = draft(EventType::denial, lane);
  if (data == nullptr) return;
  const quota::Book& book = service_.book();
  const bool never = answer.verdict == admission::Verdict::never_fits;
  const WallTime retry_at = never ? now.wall : now.wall_at(std::max(answer.retry_at, now.steady));
  *data += "{\"at\":";
  append_time(*data, now.wall);
  *data += ",\"project\":";
  append_string(*data, lane.project_name);
  *data += ",\"model\":";
  append_string(*data, lane.model);
  *data += ",\"consumer\":";
  append_string(*data, lane.consumer);
  *data += ",\"decision\":\"";
  *data += word(answer.verdict);
  *data += "\",\"limits\":[";
  for (std::size_t i = 0; i < answer.violations.size(); ++i) {
    if (i > 0) *data += ',';
    append_string(*data, book.spec(answer.violations[i].limit).name);
  }
  *data += "],\"retry_at\":";
  if (never) {
    *data += "null";
  } else {
    append_time(*data, retry_at);
  }
  *data += ",\"waited_s\":";
  append_seconds(*data, answer.waited);
  *data += ",\"detail\":";
  append_string(*data, never ? admission::never_fits_text(answer, book)
                             : admission::denial_text(answer, retry_at, book, service_.waiting()));
  *data += '}';
}

}  // namespace weir::api
