#include "proxy/proxy.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <boost/asio/post.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "http/text.hpp"

#include "proxy/heads.hpp"
#include "proxy/refusal.hpp"
#include "proxy/relay.hpp"

namespace weir::proxy {
namespace {

// A crash within it leaves the call charged as it was admitted, until its lease ends.
constexpr std::chrono::milliseconds kUnawaited{10};

}  // namespace

Proxy::Proxy(Parts parts, Setup setup)
    : parts_(std::move(parts)),
      setup_(std::move(setup)),
      metrics_(parts_.metrics),
      client_(parts_.loop, setup_.client),
      upstreams_(upstreams_of(setup_)),
      flush_timer_(parts_.loop) {}

std::vector<Proxy::UpstreamPointer> Proxy::upstreams_of(const Setup& setup) {
  std::vector<UpstreamPointer> upstreams;
  for (const ProjectSetup& project : setup.projects) {
    auto base = upstream::parse_base_url(project.base_url);
    if (!base) continue;  // none is known for the provider: calls are refused
    Upstream made{.name = project.name,
                  .provider = project.provider,
                  .api_key = project.api_key,
                  .ca_file = project.ca_file,
                  .base = std::move(*base),
                  .via = project.via,
                  .lacks_key = project.needs_key && project.api_key.empty()};
    if (!made.ca_file.empty()) (void)tls(made);  // a bad file shows at start
    upstreams.push_back(std::make_shared<const Upstream>(std::move(made)));
  }
  return upstreams;
}

void Proxy::reload(Setup setup) {
  upstreams_ = upstreams_of(setup);
  setup_ = std::move(setup);
  client_.set_options(setup_.client);
}

Proxy::~Proxy() {
  for (const auto& relay : std::list(relays_)) relay->drop();
}

void Proxy::begin_stop() {
  stopping_ = true;
  for (const auto& relay : std::list(relays_)) relay->stop();
}

const upstream::TlsContext* Proxy::tls(const Upstream& upstream) {
  if (!upstream.base.origin.tls) return nullptr;
  auto& context = tls_[upstream.ca_file];
  if (context == nullptr) context = std::make_unique<upstream::TlsContext>(upstream.ca_file);
  return context.get();
}

Proxy::UpstreamPointer Proxy::upstream(std::string_view project) const {
  const auto found = std::find_if(upstreams_.begin(), upstreams_.end(),
                                  [&](const auto& candidate) { return candidate->name == project; });
  return found == upstreams_.end() ? nullptr : *found;
}

const admission::PoolSetup* Proxy::pool(std::string_view name) const {
  const auto& pools = parts_.service.setup().pools;
  const auto found =
      std::find_if(pools.begin(), pools.end(), [&](const auto& candidate) { return candidate.name == name; });
  return found == pools.end() ? nullptr : &*found;
}

std::vector<Proxy::UpstreamPointer> Proxy::members(std::string_view project_or_pool) const {
  if (const admission::PoolSetup* named = pool(project_or_pool)) {
    std::vector<UpstreamPointer> found;
    for (const std::string& project : named->projects) {
      if (UpstreamPointer member = upstream(project)) found.push_back(std::move(member));
    }
    return found;
  }
  if (UpstreamPointer only = upstream(project_or_pool)) return {only};
  return {};
}

void Proxy::handle(http::Exchange& exchange) {
  const http::Request& request = exchange.request();
  const auto refuse = [&](Form form, int status, std::string_view detail, std::int64_t wait_s = 0) {
    Refusal refused = refusal(form, status, detail);
    if (wait_s > 0) refused.headers += fmt::format("Retry-After: {}\r\n", wait_s);
    exchange.reply({.status = refused.status, .body = refused.body, .headers = refused.headers});
  };
  const auto target = parse_target(request.path, request.query);
  if (!target)
    return refuse(Form::google, 400, "the path must be /proxy/{project or pool}/..., without ., .. and #");
  const auto upstreams = members(target->name);
  const std::string_view provider =
      upstreams.empty() ? std::string_view("gemini") : upstreams.front()->provider;
  Operation operation = asks_for_websocket(request)
                            ? session_of(provider, target->path, target->query)
                            : operation_of(provider, target->path, request.method == http::Method::post);
  if (upstreams.empty() && operation.form == Form::google && !target->path.starts_with("/v1beta") &&
      !target->path.starts_with("/v1alpha") && !target->path.starts_with("/upload")) {
    operation.form = Form::openai;
  }
  // First of all: who asks. Even which projects there are is not for everybody.
  const Query query = without_key(target->query);
  const http::Caller caller = exchange.identify(presented_key(request, query.key));
  if (!caller.known) {
    return refuse(operation.form, 401,
                  "give a consumer's token, or the daemon's, as the API key: this daemon asks for one");
  }
  if (caller.wait_s > 0) {
    return refuse(operation.form, 429,
                  fmt::format("consumer {} may send {} requests a second; send it again later",
                              caller.consumer, caller.requests_per_s),
                  caller.wait_s);
  }
  // The first would show the key to the caller (RFC 9110, 9.3.8); the second asks for a tunnel.
  for (const std::string_view method : {"TRACE", "CONNECT"}) {
    if (http::equal_ignoring_case(request.method_name, method))
      return refuse(operation.form, 501, fmt::format("{} is not passed on", request.method_name));
  }
  const std::string consumer(caller.consumer.empty() ? named_consumer(request) : caller.consumer);
  if (const auto wrong = consumer_fault(consumer); wrong && caller.consumer.empty())
    return refuse(operation.form, 400, "X-Weir-Consumer " + *wrong);
  if (upstreams.empty()) {
    return refuse(operation.form, 404,
                  fmt::format("no project or pool that the proxy can call is named \"{}\"", target->name));
  }
  for (const UpstreamPointer& member : upstreams) {
    if (member->lacks_key) {
      return refuse(
          operation.form, 401,
          fmt::format("project \"{}\" has no key, and {} takes no call without: put the key into a file, "
                      "and name that in api_key_file",
                      member->name, member->base.origin.authority()));
    }
    if (member->provider == upstreams.front()->provider) continue;
    return refuse(operation.form, 400,
                  fmt::format("pool \"{}\" has projects of several providers, whose APIs differ; call one of "
                              "its projects",
                              target->name));
  }
  auto relay = std::make_shared<Relay>(*this, exchange.shared_from_this(), *target, query.rest,
                                       std::move(operation), consumer);
  relays_.push_front(relay);
  relay->start(relays_.begin());
}

void Proxy::flush_soon() {
  if (flush_posted_) return;
  flush_posted_ = true;
  boost::asio::post(parts_.loop, [this] {
    flush_posted_ = false;
    parts_.ledger.flush();
  });
}

void Proxy::flush_later() {
  if (flush_timed_) return;
  flush_timed_ = true;
  flush_timer_.expires_after(kUnawaited);
  flush_timer_.async_wait([this](const boost::system::error_code& ec) {
    if (ec) return;
    flush_timed_ = false;
    parts_.ledger.flush();
  });
}

void Proxy::complain(const std::string& project, const std::string& text) {
  const SteadyTime now = parts_.now().steady;
  if (now - complained_at_ < std::chrono::seconds(1)) {
    ++complaints_left_out_;
    return;
  }
  complained_at_ = now;
  const std::size_t left_out = std::exchange(complaints_left_out_, 0);
  spdlog::warn("project {}: {}{}", project, text,
               left_out > 0 ? fmt::format(" (and {} failures before it)", left_out) : "");
}

}  // namespace weir::proxy
