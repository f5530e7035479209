// Frames as clients and servers send them.
#pragma once

#include <string>
#include <string_view>

namespace weir::proxy::test {

enum Opcode : int { kContinuation = 0, kText = 1, kBinary = 2, kClose = 8, kPing = 9, kPong = 10 };

// The shortest length form that fits; `masked`: as a client's, with a mask that is not 0.
inline std::string frame(int opcode, std::string_view payload, bool masked, bool last = true) {
  std::string out(1, static_cast<char>((last ? 0x80 : 0) | opcode));
  const auto size = payload.size();
  const int mask_bit = masked ? 0x80 : 0;
  const int bytes = size < 126 ? 0 : size < 65536 ? 2 : 8;
  out += static_cast<char>(mask_bit | (bytes == 0 ? static_cast<int>(size) : bytes == 2 ? 126 : 127));
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(size >> (8 * i));
  constexpr std::string_view kMask = "\x12\xfe\x34\xdc";
  if (masked) out += kMask;
  for (std::size_t i = 0; i < size; ++i)
    out += masked ? static_cast<char>(payload[i] ^ kMask[i % 4]) : payload[i];
  return out;
}

}  // namespace weir::proxy::test
