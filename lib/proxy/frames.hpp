// WebSocket frames (RFC 6455, 5) as one sees them who stands between the two ends: where each begins and
// ends in the bytes that pass, and what messages say. Nothing is changed, joined or answered: Beast's
// websocket::stream would be an end of its own on either side. Pure; loop thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace weir::proxy {

struct Close {
  std::uint16_t code = 1005;  // 1005: none was given
  std::string reason;         // at most 123 bytes
};

// One direction's bytes. Memory: a header and a control frame's payload. Bytes that are no frames are told
// of by damaged(), and everything after them is left unread.
class FrameReader {
 public:
  // A part of a text's or binary message's payload, unmasked, valid during the call; `last`: the message ends
  // with it. A message without payload is one empty part.
  using OnPart = std::function<void(std::string_view part, bool last)>;

  // `masked`: the client's direction.
  explicit FrameReader(bool masked) : masked_(masked) {}

  void feed(std::string_view bytes, const OnPart& on_part);
  // From here on messages are not wanted, only where frames end.
  void skip_messages() { wanted_ = false; }

  // A frame may begin here: so may one of ours.
  [[nodiscard]] bool between_frames() const { return !damaged_ && !in_frame_ && header_size_ == 0; }
  [[nodiscard]] bool damaged() const { return damaged_; }
  // Of the Close frame that has passed.
  [[nodiscard]] const std::optional<Close>& close() const { return close_; }

 private:
  [[nodiscard]] std::size_t header_length() const;
  void begin_frame();
  void take(std::string_view piece, const OnPart& on_part);
  void take_control(std::string_view piece);
  void end_control();
  [[nodiscard]] char unmasked(char c, std::size_t at) const { return static_cast<char>(c ^ mask_[at & 3U]); }

  const bool masked_;
  bool wanted_ = true;
  bool damaged_ = false;
  std::array<std::uint8_t, 14> header_{};
  std::size_t header_size_ = 0;
  bool in_frame_ = false;  // its header has come, not all of its payload
  std::uint8_t opcode_ = 0;
  bool final_ = false;
  bool in_message_ = false;  // a fragment that is not the last has come
  std::uint64_t remaining_ = 0;
  std::array<char, 4> mask_{};
  std::size_t mask_at_ = 0;
  std::string control_;
  std::optional<Close> close_;
};

// A whole Close frame; `reason` is cut to what fits. `masked`: to be sent to a server, with the mask 0: our
// own words need none of its protection.
std::string close_frame(std::uint16_t code, std::string_view reason, bool masked);

}  // namespace weir::proxy
