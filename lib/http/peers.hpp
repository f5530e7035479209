// Who is at the other end of a unix socket: the kernel knows.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <sys/types.h>

#include "http/coarse_time.hpp"

namespace weir::http {

struct Peer {  // as of its connect()
  pid_t process = 0;
  uid_t user = 0;
  gid_t group = 0;
};

// SO_PEERCRED; nullopt if the system does not say.
std::optional<Peer> peer_of(int descriptor);

// Says in the log which users connect: at once the first time, then once an hour at most, with how often they
// did. Loop thread.
class PeerLog {
 public:
  static constexpr std::size_t kMaxUsers = 256;  // past them, further ones are not told

  void connected(const Peer& peer, CoarseTime now);

 private:
  struct User {
    uid_t id;
    CoarseTime told;
    std::uint64_t since;  // connections since it was told
  };
  std::vector<User> users_;
};

}  // namespace weir::http
