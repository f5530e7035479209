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

Dialer::Dialer(asio::io_context& loop, Origin origin, const TlsContext* tls, Done done)
    : loop_(loop),
      origin_(std::move(origin)),
      tls_(tls),
      done_(std::move(done)),
      resolver_(loop.get_executor()),
      timer_(loop.get_executor()) {}

void Dialer::start() {
  boost::system::error_code ec;
  const auto address = asio::ip::make_address(origin_.host, ec);
  if (!ec) {
    const auto port = static_cast<unsigned short>(std::stoul(origin_.port));
    asio::post(loop_, [self = shared_from_this(), endpoint = Endpoint(address, port)] {
      if (self->done_) self->resolved({endpoint});
    });
    return;
  }
  resolver_.async_resolve(
      origin_.host, origin_.port, asio::ip::resolver_base::numeric_service,
      [self = shared_from_this()](const boost::system::error_code& error, const auto& results) {
        if (!self->done_) return;
        if (error) {
          return self->fail(
              {Fault::resolve, fmt::format("cannot find {}: {}", self->origin_.host, error.message())});
        }
        std::vector<Endpoint> found;
        for (const auto& result : results) found.push_back(result.endpoint());
        self->resolved(std::move(found));
      });
}

void Dialer::cancel() {
  done_ = nullptr;
  resolver_.cancel();
  timer_.cancel();
  close_attempts();
  transport_.reset();
}

std::string Dialer::stage() const {
  if (transport_) return fmt::format("the TLS handshake with {}", origin_.authority());
  if (endpoints_.empty()) return fmt::format("looking up {}", origin_.host);
  return fmt::format("connecting to {}", origin_.authority());
}

void Dialer::resolved(std::vector<Endpoint> found) {
  if (found.empty()) return fail({Fault::resolve, fmt::format("{} has no address", origin_.host)});
  endpoints_ = alternate(found);
  try_next();
}

void Dialer::try_next() {
  const std::size_t attempt = attempts_.size();
  if (attempt == endpoints_.size()) {
    if (pending_ > 0) return;
    return fail({Fault::connect, fmt::format("cannot connect to {}: {}{}", origin_.authority(), last_error_,
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
  if (tls_ != nullptr) {
    transport_->start_tls(*tls_, origin_.host);
    return shake_hands();
  }
  std::exchange(done_, nullptr)(std::move(transport_), {});
}

void Dialer::shake_hands() {
  const Io io = transport_->handshake();
  switch (io) {
    case Io::done:
      return std::exchange(done_, nullptr)(std::move(transport_), {});
    case Io::want_read:
    case Io::want_write:
      return transport_->socket().async_wait(
          io == Io::want_read ? Socket::wait_read : Socket::wait_write,
          [self = shared_from_this()](const boost::system::error_code& ec) {
            if (!ec && self->done_) self->shake_hands();
          });
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

void Dialer::fail(Failure failure) {
  const auto done = std::exchange(done_, nullptr);
  cancel();
  done(std::nullopt, std::move(failure));
}

void Dialer::close_attempts() {
  for (auto& socket : attempts_) socket.reset();
}

}  // namespace weir::upstream
