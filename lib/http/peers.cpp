#include "http/peers.hpp"

#include <algorithm>
#include <utility>

#include <sys/socket.h>

#include <spdlog/spdlog.h>

namespace weir::http {
namespace {

constexpr CoarseTime kAgain = std::chrono::hours(1);

}  // namespace

std::optional<Peer> peer_of(int descriptor) {
  ucred credentials{};
  socklen_t size = sizeof credentials;
  if (::getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0) return std::nullopt;
  return Peer{.process = credentials.pid, .user = credentials.uid, .group = credentials.gid};
}

void PeerLog::connected(const Peer& peer, CoarseTime now) {
  auto user =
      std::find_if(users_.begin(), users_.end(), [&](const User& seen) { return seen.id == peer.user; });
  if (user == users_.end()) {
    if (users_.size() == kMaxUsers) return;
    users_.push_back({peer.user, now, 0});
    return spdlog::info("unix socket: user {} connects (group {}, process {})", peer.user, peer.group,
                        peer.process);
  }
  ++user->since;
  if (now - user->told < kAgain) return;
  user->told = now;
  spdlog::info("unix socket: user {} has connected {} times more (last group {}, process {})", peer.user,
               std::exchange(user->since, 0), peer.group, peer.process);
}

}  // namespace weir::http
