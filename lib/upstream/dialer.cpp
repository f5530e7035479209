#include "upstream/dialer.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>
#include <fmt/format.h>

namespace weir::upstream {
namespace {

namespace asio = boost::asio;

constexpr std::chrono::milliseconds kHeadStart{250};
constexpr std::size_t kMaxAddresses = 8;

// IPv6 and IPv4 in turn, beginning with the family that the resolver put first.
template <class Endpoint>
std::vector<Endpoint> alternate(const std::vector<Endpoint>& found) {
  std::vector<Endpoint> first, second, mixed;
  for (const Endpoint& endpoint : found) {
    (endpoint.protocol() == found.front().protocol() ? first : second).push_back(endpoint);
  }
  for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i) {
    if (i < first.size()) mixed.push_back(first[i]);
    if (i < second.size()) mixed.push_back(second[i]);
  }
  if (mixed.size() > kMaxAddresses) mixed.resize(kMaxAddresses);
  return mixed;
}

}  // namespace

Dialer::Dialer(asio::io_context& loop, Resolver& resolver, Origin origin, const TlsContext* tls,
               std::optional<Via> via, Done done)
    : loop_(loop),
      origin_(std::move(origin)),
      tls_(tls),
      via_(std::move(via)),
      done_(std::move(done)),
      resolver_(resolver),
      timer_(loop.get_executor()) {}

void Dialer::start() {
  const auto port = static_cast<unsigned short>(std::stoul(via_ ? via_->port : origin_.port));
  boost::system::error_code ec;
  const auto address = asio::ip::make_address(host(), ec);
  if (!ec) return start({Endpoint(address, port)});
  ticket_ = resolver_.ask(
      host(), [self = shared_from_this(), port](const Found& found) { self->looked_up(found, port); });
}

void Dialer::looked_up(const Found& found, unsigned short port) {
  ticket_.reset();
  if (found.error) {
    return fail({Fault::resolve, fmt::format("cannot find {}: {}", peer(), found.error.message())});
  }
  std::vector<Endpoint> endpoints;
  for (const auto& address : found.addresses) endpoints.emplace_back(address, port);
  resolved(std::move(endpoints));
}

void Dialer::start(std::vector<Endpoint> addresses) {
  asio::post(loop_, [self = shared_from_this(), found = std::move(addresses)]() mutable {
    if (self->done_) self->resolved(std::move(found));
  });
}

void Dialer::cancel() {
  done_ = nullptr;
  if (ticket_) resolver_.forget(host(), *std::exchange(ticket_, {}));
  timer_.cancel();
  close_attempts();
  transport_.reset();
}

std::string Dialer::peer() const {
  return via_ ? "the HTTP proxy " + via_->authority() : origin_.authority();
}

std::string Dialer::stage() const {
  if (tunnel_) return fmt::format("opening a tunnel to {} through {}", origin_.authority(), peer());
  if (transport_) return fmt::format("the TLS handshake with {}", origin_.authority());
  return fmt::format("{} {}", endpoints_.empty() ? "looking up" : "connecting to", peer());
}

void Dialer::resolved(std::vector<Endpoint> found) {
  if (found.empty()) return fail({Fault::resolve, fmt::format("{} has no address", peer())});
  endpoints_ = alternate(found);
  try_next();
}

void Dialer::try_next() {
  const std::size_t attempt = attempts_.size();
  if (attempt == endpoints_.size()) {
    if (pending_ > 0) return;
    return fail({Fault::connect, fmt::format("cannot connect to {}: {}{}", peer(), last_error_,
                                             attempt > 1 ? fmt::format(" ({} addresses)", attempt) : "")});
  }
  attempts_.push_back(std::make_unique<Socket>(loop_.get_executor()));
  ++pending_;
  attempts_.back()->async_connect(endpoints_[attempt],
                                  [self = shared_from_this(), attempt](const boost::system::error_code& ec) {
                                    if (self->done_ && !self->transport_) self->connected(attempt, ec);
                                  });
  if (attempt + 1 == endpoints_.size()) return;
  timer_.expires_after(kHeadStart);
  timer_.async_wait([self = shared_from_this(), attempt](const boost::system::error_code& ec) {
    if (!ec && self->done_ && !self->transport_ && self->attempts_.size() == attempt + 1) self->try_next();
  });
}

void Dialer::connected(std::size_t attempt, const boost::system::error_code& ec) {
  --pending_;
  if (ec) {
    last_error_ = ec.message();
    attempts_[attempt].reset();
    return try_next();
  }
  timer_.cancel();
  transport_.emplace(std::move(*attempts_[attempt]));
  close_attempts();
  if (!via_) return start_tls();
  tunnel_ = std::make_unique<Tunnel>(origin_, *via_);
  open_tunnel();
}

void Dialer::open_tunnel() {
  const Io io = tunnel_->advance(*transport_);
  if (io == Io::want_read || io == Io::want_write) return wait(io, &Dialer::open_tunnel);
  if (io != Io::done) return fail(tunnel_->failure());
  tunnel_ = nullptr;
  start_tls();
}

void Dialer::start_tls() {
  if (tls_ == nullptr) return std::exchange(done_, nullptr)(std::move(transport_), {});
  transport_->start_tls(*tls_, origin_.host);
  shake_hands();
}

void Dialer::shake_hands() {
  const Io io = transport_->handshake();
  switch (io) {
    case Io::done:
      return std::exchange(done_, nullptr)(std::move(transport_), {});
    case Io::want_read:
    case Io::want_write:
      return wait(io, &Dialer::shake_hands);
    default:
      break;
  }
  if (transport_->certificate_refused()) {
    return fail({Fault::certificate, fmt::format("the certificate of {} is not accepted: {}",
                                                 origin_.authority(), transport_->error())});
  }
  fail({Fault::tls,
        fmt::format("the TLS handshake with {} failed: {}", origin_.authority(), transport_->error())});
}

void Dialer::wait(Io io, void (Dialer::*next)()) {
  transport_->socket().async_wait(io == Io::want_read ? Socket::wait_read : Socket::wait_write,
                                  [self = shared_from_this(), next](const boost::system::error_code& ec) {
                                    if (!ec && self->done_) (self.get()->*next)();
                                  });
}

void Dialer::fail(Failure failure) {
  const auto done = std::exchange(done_, nullptr);
  cancel();
  done(std::nullopt, std::move(failure));
}

void Dialer::close_attempts() {
  for (auto& socket : attempts_) socket.reset();
}

}  // namespace weir::upstream
