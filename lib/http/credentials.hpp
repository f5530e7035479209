// Who asks, by the secret that they present: the daemon's own token, which may do everything, or a
// consumer's, which stands for that consumer alone and may come with a number of requests a second. Owned by
// the server; loop thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/coarse_time.hpp"

namespace weir::http {

struct ConsumerToken {
  std::string consumer;
  std::string token;
  double requests_per_s = 0;  // 0: any number. A burst may be as large as what a second allows, at least 1
  bool operator==(const ConsumerToken&) const = default;
};

struct Caller {
  bool known = true;            // false: a token is asked for, and this is none
  std::string_view consumer{};  // whose token it is; empty: the caller may do everything
  std::int64_t wait_s = 0;      // > 0: the consumer has sent too many requests; so long until it may again
  double requests_per_s = 0;    // of that consumer
};

// The token of an Authorization header; empty if it has none as bearer.
std::string_view bearer_token(std::string_view authorization);

class Credentials {
 public:
  Credentials() = default;
  // `own`: the daemon's token; empty: nobody needs one.
  Credentials(std::string own, std::vector<ConsumerToken> consumers);

  // Counts as one request of the consumer whose token it is. `asked`: the way that the request came on asks
  // for a token, if the daemon has one. Compares with all tokens, and takes the same time wherever they
  // differ. Views live until the credentials change.
  Caller identify(std::string_view secret, bool asked, CoarseTime now);

  // The same tokens stand for the same.
  [[nodiscard]] bool same_as(const Credentials& other) const;

 private:
  struct Holder {
    ConsumerToken is{};
    CoarseTime earned = CoarseTime::min();  // up to when its requests are paid for
    CoarseTime complained{};                // when the log last said that there are too many
    std::uint64_t refused = 0;              // since
  };
  static std::int64_t wait_of(Holder& holder, CoarseTime now);

  std::string own_;
  std::vector<Holder> holders_;
};

}  // namespace weir::http
