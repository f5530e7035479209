#include "http/connections.hpp"

#include <algorithm>
#include <iterator>

#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

#include "http/connection.hpp"

namespace weir::http {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSweepInterval{1000};  // an idle daemon wakes no more often
constexpr std::size_t kLooks = 64;            // for an idle connection: of the oldest, in turn
constexpr std::size_t kMaxRefusing = 64;      // beyond these a connection too many is closed without a word

milliseconds sweep_interval(const ServerOptions& options) {
  const auto shortest = std::min({options.header_timeout, options.body_timeout, options.write_timeout,
                                  options.idle_timeout, options.linger_timeout * 2});
  return std::clamp(shortest / 4, milliseconds(10), kSweepInterval);
}

}  // namespace

Connections::Connections(boost::asio::io_context& loop, ServerOptions server_options,
                         Server::Handler server_handler, Server::Streamed streamed_route)
    : executor(loop.get_executor()),
      options(std::move(server_options)),
      handler(std::move(server_handler)),
      streamed(std::move(streamed_route)),
      guard(options.allowed_hosts),
      credentials(options.bearer_token, options.consumers),
      timer_(loop),
      sweep_interval_(sweep_interval(options)) {}

bool Connections::is_public(std::string_view path) const {
  return path == "/livez" || path == "/readyz" ||
         std::find(options.public_paths.begin(), options.public_paths.end(), path) !=
             options.public_paths.end();
}

void Connections::add(Socket socket, bool unix_socket) {
  if (!timer_) return;  // the server has ended
  if (full()) make_room();
  const bool too_many = full();
  if (too_many) {
    ++stats.refused;
    if (refusing_ >= kMaxRefusing) return;
  } else {
    ++stats.accepted;
  }
  auto connection =
      std::make_shared<Connection>(shared_from_this(), std::move(socket), unix_socket, too_many);
  list_.push_front(connection);
  refusing_ += too_many ? 1 : 0;
  stats.connections = list_.size();
  arm_sweep();
  connection->start(list_.begin());
}

bool Connections::make_room() {
  std::shared_ptr<Connection> longest;
  for (std::size_t looks = std::min(list_.size(), kLooks); looks > 0; --looks) {
    const std::shared_ptr<Connection>& oldest = list_.back();
    if ((!longest || oldest->deadline() < longest->deadline()) && oldest->idle()) longest = oldest;
    list_.splice(list_.begin(), list_, std::prev(list_.end()));  // the next look is at others
  }
  if (!longest) return false;
  ++stats.displaced;
  longest->close();
  return true;
}

void Connections::remove(List::iterator position) {
  refusing_ -= (*position)->refused() ? 1 : 0;
  list_.erase(position);
  stats.connections = list_.size();
  if (!list_.empty()) return;
  if (timer_) timer_->cancel();
  if (on_empty_) std::exchange(on_empty_, nullptr)();
}

void Connections::begin_stop(std::function<void()> empty) {
  stopping_ = true;
  on_empty_ = std::move(empty);
  for (const auto& connection : snapshot()) connection->begin_stop();
  if (list_.empty()) {
    if (on_empty_) std::exchange(on_empty_, nullptr)();
    return;
  }
  sweep_interval_ = std::min(sweep_interval_, milliseconds(50));
  if (timer_) timer_->cancel();  // sweeps at once, and goes on at the shorter interval
}

void Connections::close_all() {
  for (const auto& connection : snapshot()) connection->close();
}

void Connections::shut_down() {
  on_empty_ = nullptr;
  for (const auto& connection : snapshot()) connection->close(true);
  timer_.reset();
}

std::vector<std::shared_ptr<Connection>> Connections::snapshot() const {
  return {list_.begin(), list_.end()};
}

void Connections::arm_sweep() {
  if (armed_ || list_.empty() || !timer_) return;
  armed_ = true;
  timer_->expires_after(sweep_interval_);
  timer_->async_wait([self = shared_from_this()](const boost::system::error_code&) {
    self->armed_ = false;
    self->sweep();
  });
}

void Connections::sweep() {
  const auto now = coarse_now();
  // A copy: what a connection's end sets off may end others.
  for (const auto& connection : snapshot()) connection->sweep(now);
  arm_sweep();
}

}  // namespace weir::http
