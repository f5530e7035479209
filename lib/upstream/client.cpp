#include "upstream/client.hpp"

#include <algorithm>
#include <utility>

#include "upstream/connection.hpp"

namespace weir::upstream {
namespace {

using std::chrono::milliseconds;

milliseconds sweep_interval(const ClientOptions& options) {
  const auto shortest = std::min(
      {options.connect_timeout, options.first_byte_timeout, options.idle_timeout, options.keep_alive});
  return std::clamp(shortest / 4, milliseconds(10), milliseconds(1000));
}

}  // namespace

Client::Client(boost::asio::io_context& loop, const ClientOptions& options)
    : loop_(loop), resolver_(loop), options_(options), timer_(std::make_shared<Timer>(loop.get_executor())) {}

Client::~Client() {
  for (const auto& weak : std::exchange(dialling_, {})) {
    if (const auto call = weak.lock()) call->cancel();
  }
  // A copy: closing takes it off the list.
  for (const auto& connection : Connections(connections_)) {
    if (const auto call = connection->call()) call->cancel();
    connection->close();
  }
}

std::shared_ptr<Call> Client::call(Request request, Receiver& receiver) {
  return std::make_shared<Call>(*this, std::move(request), receiver);
}

std::shared_ptr<Connection> Client::take_idle(const Key& key) {
  // Looked up each time: closing one takes the store off the map if it is empty.
  for (auto found = idle_.find(key); found != idle_.end() && !found->second.empty();
       found = idle_.find(key)) {
    auto connection = std::move(found->second.back());
    found->second.pop_back();
    --stats_.idle;
    if (connection->quiet()) return connection;
    connection->close();
  }
  return nullptr;
}

void Client::keep_idle(const std::shared_ptr<Connection>& connection) {
  auto& store = idle_[connection->key()];
  if (store.size() >= options_.max_idle) return connection->close();
  store.push_back(connection);
  ++stats_.idle;
  connection->become_idle();
}

void Client::drop_idle(const std::shared_ptr<Connection>& connection) {
  const auto found = idle_.find(connection->key());
  if (found == idle_.end()) return;
  stats_.idle -= std::erase(found->second, connection);
  if (found->second.empty()) idle_.erase(found);
}

void Client::add(const std::shared_ptr<Connection>& connection) {
  connections_.push_front(connection);
  connection->position = connections_.begin();
  stats_.connections = connections_.size();
  arm_sweep();
}

void Client::remove(Connections::iterator position) {
  connections_.erase(position);
  stats_.connections = connections_.size();
}

void Client::arm_sweep() {
  if (armed_ || (connections_.empty() && dialling_.empty())) return;
  armed_ = true;
  timer_->expires_after(sweep_interval(options_));
  timer_->async_wait([this, timer = std::weak_ptr(timer_)](const boost::system::error_code& ec) {
    if (ec || timer.expired()) return;
    armed_ = false;
    sweep();
  });
}

void Client::sweep() {
  const auto now = http::coarse_now();
  std::vector<std::weak_ptr<Call>> still;
  for (const auto& weak : std::exchange(dialling_, {})) {
    const auto call = weak.lock();
    if (call == nullptr || call->dialer_ == nullptr) continue;
    call->sweep(now);
    if (call->dialer_ != nullptr) still.push_back(weak);
  }
  dialling_.insert(dialling_.end(), still.begin(), still.end());
  // A copy: what a connection's end sets off may end others.
  for (const auto& connection : Connections(connections_)) connection->sweep(now);
  arm_sweep();
}

}  // namespace weir::upstream
