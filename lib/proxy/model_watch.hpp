// That the messages of a client's session name no model but the one that it was admitted for. OpenAI's
// Responses API over a WebSocket takes a model in each message, and a session is one call. Pure; loop thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "proxy/frames.hpp"

namespace weir::proxy {

class ModelWatch {
 public:
  enum class Fault : std::uint8_t {
    none,
    other_model,
    unreadable,  // no frames, or a message that is no JSON object: upstream may find a model in it
    too_large,   // for `max_message_bytes`
  };

  ModelWatch(std::string model, std::size_t max_message_bytes)
      : model_(std::move(model)), max_message_bytes_(max_message_bytes) {}

  // The client's bytes, from the handshake on. The first fault stays.
  Fault feed(std::string_view bytes);
  // Of the message under way.
  [[nodiscard]] std::size_t held_bytes() const { return message_.empty() ? 0 : message_.capacity(); }

 private:
  const std::string model_;
  const std::size_t max_message_bytes_;
  FrameReader reader_{true};
  std::string message_;
  Fault fault_ = Fault::none;
};

}  // namespace weir::proxy
