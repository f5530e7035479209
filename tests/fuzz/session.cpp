// A WebSocket session's bytes: cut anywhere, the same is read of them.
// The first byte: how they are cut; odd numbers divided by two that are odd again: from upstream.
#include "proxy/session.hpp"

#include "fuzz.hpp"

namespace weir::fuzz {
namespace {

constexpr std::size_t kMaxMessage = 2048;

proxy::Session read(std::string_view bytes, unsigned seed, bool from_upstream) {
  proxy::Session session(kMaxMessage, true);
  in_pieces(bytes, seed, [&](std::string_view piece) {
    if (from_upstream) {
      session.from_upstream(piece);
    } else {
      session.from_client(piece);
    }
  });
  return session;
}

}  // namespace

void run(std::string_view input) {
  const unsigned first = take_byte(input);
  const bool from_upstream = first / 2 % 2 == 1;
  const proxy::Session whole = read(input, 0, from_upstream);
  const proxy::Session cut = read(input, first | 1, from_upstream);
  expect(whole.usage() == cut.usage(), "however it is cut, the same usage is read");
  expect(whole.first() == cut.first() && whole.first_message() == cut.first_message(),
         "however it is cut, the same first message is read");
  expect(whole.partial() == cut.partial(), "however it is cut, it is as complete");
  expect(whole.may_tell_client() == cut.may_tell_client() &&
             whole.may_tell_upstream() == cut.may_tell_upstream(),
         "however it is cut, frames end where they end");
  expect(whole.first_message().size() <= kMaxMessage, "what is kept is bounded");
}

}  // namespace weir::fuzz
