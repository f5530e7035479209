// Usage read from a streamed answer: cut anywhere, the same is read. The first byte: how it is cut.
#include "provider/stream_usage.hpp"

#include "fuzz.hpp"

namespace weir::fuzz {
namespace {

provider::StreamUsage read(std::string_view bytes, unsigned seed) {
  provider::StreamUsage usage(4096);
  in_pieces(bytes, seed, [&](std::string_view piece) { usage.feed(piece); });
  usage.finish();
  return usage;
}

}  // namespace

void run(std::string_view input) {
  const unsigned seed = take_byte(input) | 1;
  const provider::StreamUsage whole = read(input, 0);
  const provider::StreamUsage cut = read(input, seed);
  expect(whole.usage() == cut.usage(), "however it is cut, the same usage is read");
  expect(whole.error() == cut.error(), "however it is cut, the same error is read");
  if (whole.usage()) expect(whole.usage()->total_tokens() >= 0, "a total does not overflow");
}

}  // namespace weir::fuzz
