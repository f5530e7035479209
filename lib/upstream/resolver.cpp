#include "upstream/resolver.hpp"

#include <csignal>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>

#include <boost/asio/error.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

namespace weir::upstream {
namespace {

namespace asio = boost::asio;

// Threads begun while this lives take no signals: those are for the loop's thread.
class NoSignals {
 public:
  NoSignals() {
    sigset_t all;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~NoSignals() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  NoSignals(const NoSignals&) = delete;
  NoSignals& operator=(const NoSignals&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace

Found look_up(const std::string& host) {
  Found found;
  asio::io_context none;  // nothing is waited for on it
  const auto results =
      asio::ip::tcp::resolver(none).resolve(host, "0", asio::ip::resolver_base::numeric_service, found.error);
  for (const auto& result : results) found.addresses.push_back(result.endpoint().address());
  return found;
}

struct Resolver::Link {
  const Lookup look_up;
  std::mutex mutex;    // for threads; the loop's thread reads without it, and alone writes
  Resolver* resolver;  // null: gone
};

Resolver::Resolver(asio::io_context& loop, Lookup lookup)
    : loop_(loop), link_(new Link{.look_up = std::move(lookup), .mutex = {}, .resolver = this}) {}

Resolver::~Resolver() {
  const std::lock_guard lock(link_->mutex);
  link_->resolver = nullptr;
}

Resolver::Ticket Resolver::ask(const std::string& host, Done done) {
  const auto [at, fresh] = asked_.try_emplace(host);
  const Ticket ticket = ++last_ticket_;
  at->second.emplace(ticket, std::move(done));
  if (fresh) {
    line_.push_back(host);
    begin_next();
  }
  return ticket;
}

void Resolver::forget(const std::string& host, Ticket ticket) {
  if (const auto found = asked_.find(host); found != asked_.end()) found->second.erase(ticket);
  telling_.erase(ticket);
}

void Resolver::begin_next() {
  while (under_way_ < kMostLookups && !line_.empty()) {
    const std::string host = std::move(line_.front());
    line_.pop_front();
    if (asked_.at(host).empty()) {
      asked_.erase(host);  // all have been forgotten
    } else {
      begin(host);
    }
  }
}

void Resolver::begin(const std::string& host) {
  ++under_way_;
  const auto tell = [link = link_, host](Found found) {
    const std::lock_guard lock(link->mutex);
    if (link->resolver == nullptr) return;
    asio::post(link->resolver->loop_, [link, host, found = std::move(found)] {
      if (link->resolver != nullptr) link->resolver->ended(host, found);
    });
  };
  try {
    const NoSignals while_it_begins;
    std::thread([link = link_, host, tell] {
      Found found;
      try {
        found = link->look_up(host);
      } catch (const std::exception&) {
        found = {asio::error::no_memory, {}};
      }
      tell(std::move(found));
    }).detach();
  } catch (const std::system_error& error) {  // no more threads
    tell({boost::system::error_code(error.code()), {}});
  }
}

void Resolver::ended(const std::string& host, const Found& found) {
  --under_way_;
  telling_ = std::move(asked_.extract(host).mapped());
  begin_next();
  // Whoever is told may forget others, or end the resolver.
  const auto link = link_;
  while (link->resolver != nullptr && !telling_.empty()) {
    const auto next = telling_.extract(telling_.begin());
    next.mapped()(found);
  }
}

}  // namespace weir::upstream
