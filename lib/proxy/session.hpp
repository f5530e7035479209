// One WebSocket session (Gemini's Live API, OpenAI's realtime API) as far as quotas are concerned: which
// model it asks for, and what upstream says was used. The bytes of both directions are shown to it as they
// pass. Pure; never fails: what cannot be read is absent, and partial() says so. Loop thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "provider/error.hpp"
#include "provider/stream_usage.hpp"
#include "quota/amounts.hpp"

#include "proxy/frames.hpp"

namespace weir::proxy {

class Session {
 public:
  enum class First : std::uint8_t {
    none_wanted,  // the model is known
    incomplete,
    complete,
    too_large,
    damaged,  // the client does not send frames
  };

  // `max_message_bytes`: of a message that is kept to be read. `want_first`: the client's first message names
  // the model.
  Session(std::size_t max_message_bytes, bool want_first);

  void from_client(std::string_view bytes);
  // True: these told of usage.
  bool from_upstream(std::string_view bytes);

  [[nodiscard]] First first() const { return first_; }
  // Once complete. It is wanted no more after forget_first_message().
  [[nodiscard]] const std::string& first_message() const { return first_message_; }
  void forget_first_message();

  // The sum of what the messages told: each tells of one turn, all that the model read again for it included
  // (Gemini's usageMetadata, OpenAI's response.done).
  [[nodiscard]] const std::optional<Usage>& usage() const { return usage_; }
  // There may be more than usage() says: no end of the session was said, or a message could not be read.
  [[nodiscard]] bool partial() const;
  // Upstream has ended the session since a quota is used up: its Close frame says so.
  [[nodiscard]] std::optional<provider::UpstreamError> error() const;

  // A frame of ours may go to that side now.
  [[nodiscard]] bool may_tell_client() const;
  [[nodiscard]] bool may_tell_upstream() const;

 private:
  const std::size_t max_message_bytes_;
  FrameReader client_{true};
  FrameReader upstream_{false};
  First first_;
  std::string first_message_;
  provider::StreamUsage message_;  // of upstream, the one under way
  std::size_t message_bytes_ = 0;
  bool skipped_ = false;  // a message was too large to be read
  std::optional<Usage> usage_;
};

// The models that a client's message names: Gemini's {"setup":{"model":"models/m"}}, OpenAI's
// {"session":{"model"}}, {"response":{"model"}} or {"model"}; without "models/". Of two, upstream may read
// either. nullopt: it is no JSON object.
std::optional<std::vector<std::string>> models_of_message(std::string_view message);

}  // namespace weir::proxy
