#include "http/server.hpp"

#include <algorithm>
#include <utility>

#include <boost/asio/post.hpp>

#include "http/connections.hpp"
#include "http/listener.hpp"

namespace weir::http {

// Shared with the callbacks of a stop, which may outlive the server.
struct Server::Impl : std::enable_shared_from_this<Server::Impl> {
  Impl(boost::asio::io_context& io, ServerOptions options, Handler handler, Streamed streamed)
      : loop(io),
        patience_timer(io),
        connections(
            std::make_shared<Connections>(io, std::move(options), std::move(handler), std::move(streamed))) {}

  void finish() {
    patience_timer.cancel();
    if (done) boost::asio::post(loop, std::exchange(done, nullptr));
  }

  boost::asio::io_context& loop;
  boost::asio::steady_timer patience_timer;
  std::shared_ptr<Connections> connections;
  std::vector<std::shared_ptr<Listener>> listeners;
  std::function<void()> done;
  bool stopped = false;
  bool ended = false;  // the server is gone
};

Server::Server(boost::asio::io_context& loop, ServerOptions options, Handler handler, Streamed streamed)
    : impl_(std::make_shared<Impl>(loop, std::move(options), std::move(handler), std::move(streamed))) {}

Server::~Server() {
  impl_->ended = true;
  impl_->done = nullptr;
  impl_->patience_timer.cancel();
  for (const auto& listener : impl_->listeners) listener->close();
  impl_->connections->shut_down();
}

void Server::listen() {
  std::vector<std::shared_ptr<Listener>> opened;  // if one fails, those before are closed again
  const ServerOptions& options = impl_->connections->options;
  for (const auto& [descriptor, address] : options.given) {
    opened.push_back(std::make_shared<Listener>(impl_->connections, impl_->loop, address, descriptor));
    opened.back()->open();
  }
  for (const auto& address : options.listen) {
    if (std::any_of(options.given.begin(), options.given.end(),
                    [&](const auto& given) { return given.second == address; })) {
      continue;
    }
    opened.push_back(std::make_shared<Listener>(impl_->connections, impl_->loop, address));
    opened.back()->open();
  }
  for (const auto& listener : opened) {
    if (const auto host = listener->specific_host(); !host.empty()) impl_->connections->guard.allow(host);
    listener->start();
    impl_->listeners.push_back(listener);
  }
}

bool Server::reconfigure(const ServerOptions& options) {
  Connections& connections = *impl_->connections;
  connections.options.max_connections = options.max_connections;
  connections.options.max_header_bytes = options.max_header_bytes;
  connections.options.max_body_bytes = options.max_body_bytes;
  connections.guard = Guard(options.allowed_hosts);
  for (const auto& listener : impl_->listeners) {
    if (const auto host = listener->specific_host(); !host.empty()) connections.guard.allow(host);
  }
  Credentials credentials(options.bearer_token, options.consumers);
  if (credentials.same_as(connections.credentials)) return false;
  connections.credentials = std::move(credentials);
  return true;
}

std::vector<std::string> Server::addresses() const {
  std::vector<std::string> texts;
  for (const auto& listener : impl_->listeners) texts.push_back(listener->bound());
  return texts;
}

void Server::stop(std::chrono::milliseconds patience, std::function<void()> done) {
  if (std::exchange(impl_->stopped, true)) return;
  impl_->done = std::move(done);
  for (const auto& listener : impl_->listeners) listener->stop();
  impl_->patience_timer.expires_after(patience);
  impl_->patience_timer.async_wait([impl = impl_](const boost::system::error_code& cancelled) {
    if (!cancelled) impl->connections->close_all();
  });
  // After the accepts that are in the loop's queue already.
  boost::asio::post(impl_->loop, [weak = std::weak_ptr(impl_)] {
    if (const auto impl = weak.lock(); impl && !impl->ended) {
      impl->connections->begin_stop([weak] {
        if (const auto alive = weak.lock()) alive->finish();
      });
    }
  });
}

const ServerStats& Server::stats() const {
  return impl_->connections->stats;
}

}  // namespace weir::http
