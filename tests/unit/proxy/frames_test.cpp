#include "proxy/frames.hpp"

#include <vector>

#include <doctest/doctest.h>

#include "frame_writer.hpp"

namespace weir::proxy::test {
namespace {

using namespace std::string_literals;

// Everything that a reader tells of a stream, which comes in pieces of that size.
struct Read {
  Read(bool masked, std::string_view bytes, std::size_t piece = static_cast<std::size_t>(-1))
      : reader(masked) {
    std::string message;
    while (!bytes.empty()) {
      reader.feed(bytes.substr(0, piece), [&](std::string_view part, bool last) {
        message += part;
        if (!last) return;
        messages.push_back(message);
        message.clear();
      });
      bytes.remove_prefix(std::min(piece, bytes.size()));
    }
  }
  FrameReader reader;
  std::vector<std::string> messages;
};

// A session's worth of one direction: fragments, control frames between them, all forms of lengths.
std::string everything(bool masked) {
  return frame(kText, "one", masked) + frame(kPing, "p", masked) + frame(kBinary, "", masked) +
         frame(kText, "two ", masked, false) + frame(kPong, "", masked) +
         frame(kContinuation, std::string(300, 'x'), masked, false) + frame(kPing, "q", masked) +
         frame(kContinuation, " end", masked) + frame(kBinary, std::string(70'000, 'y'), masked) +
         frame(kText, "", masked, false) + frame(kContinuation, "", masked) +
         frame(kClose, "\x03\xe9 gone"s, masked);
}

const std::vector<std::string> kEverything = {"one", "", "two " + std::string(300, 'x') + " end",
                                              std::string(70'000, 'y'), ""};

}  // namespace

TEST_CASE("messages are read from both directions, however the bytes are cut") {
  for (const bool masked : {false, true}) {
    for (const std::size_t piece :
         {std::size_t{1}, std::size_t{3}, std::size_t{5000}, std::size_t{1} << 20}) {
      CAPTURE(masked);
      CAPTURE(piece);
      const Read read(masked, everything(masked), piece);
      CHECK(read.messages == kEverything);
      CHECK(!read.reader.damaged());
      CHECK(read.reader.between_frames());
      REQUIRE(read.reader.close());
      CHECK(read.reader.close()->code == 1001);
      CHECK(read.reader.close()->reason == " gone");
    }
  }
}

TEST_CASE("a frame of ours may stand between two frames, also within a message, and nowhere else") {
  const std::string first = frame(kText, "abc", true, false);
  for (std::size_t size = 0; size <= first.size(); ++size) {
    CAPTURE(size);
    const Read read(true, std::string_view(first).substr(0, size));
    CHECK(read.reader.between_frames() == (size == 0 || size == first.size()));
    CHECK(read.messages.empty());
  }
}

TEST_CASE("what no WebSocket sends is damage, and nothing after it is read") {
  struct Case {
    const char* what;
    std::string bytes;
  };
  const Case cases[] = {
      {"a reserved bit", "\xc1\x01x"s},
      {"an unknown opcode", "\x83\x01x"s},
      {"an unknown control opcode", "\x8b\x00"s},
      {"a mask on a server's frame", frame(kText, "x", true)},
      {"a continuation of nothing", frame(kContinuation, "x", false)},
      {"a message within a message", frame(kText, "x", false, false) + frame(kText, "y", false)},
      {"a control frame in fragments", frame(kPing, "x", false, false)},
      {"a long control frame", frame(kPing, std::string(126, 'x'), false)},
      {"a length beyond 63 bits", "\x81\x7f\xff\xff\xff\xff\xff\xff\xff\xff"s},
  };
  for (const auto& [what, bytes] : cases) {
    CAPTURE(what);
    const Read read(false, bytes + frame(kText, "after", false));
    CHECK(read.reader.damaged());
    CHECK(!read.reader.between_frames());
    CHECK(read.messages.empty());
  }
  CHECK(Read(true, frame(kText, "no mask", false)).reader.damaged());
}

TEST_CASE("a close without a code, or without a reason") {
  CHECK(Read(false, frame(kClose, "", false)).reader.close()->code == 1005);
  const Read coded(true, frame(kClose, "\x03\xe8"s, true));
  CHECK(coded.reader.close()->code == 1000);
  CHECK(coded.reader.close()->reason.empty());
}

TEST_CASE("messages that are not wanted are passed over, and frames are still told apart") {
  FrameReader reader(true);
  reader.skip_messages();
  const std::string bytes = everything(true);
  reader.feed(bytes, [](std::string_view, bool) { FAIL("nothing was wanted"); });
  CHECK(reader.between_frames());
  CHECK(reader.close()->code == 1001);
}

TEST_CASE("our close frames can be read, and fit") {
  for (const bool masked : {false, true}) {
    const Read read(masked, close_frame(1013, "Weir: later", masked));
    CHECK(!read.reader.damaged());
    CHECK(read.reader.close()->code == 1013);
    CHECK(read.reader.close()->reason == "Weir: later");
  }
  const std::string cut = close_frame(1008, std::string(122, 'x') + "\u00e9tude", false);
  CHECK(cut.size() == 2 + 2 + 122);  // no half of a character
  CHECK(Read(false, cut).reader.close()->reason == std::string(122, 'x'));
}

TEST_CASE("every prefix and every flipped bit is read without harm") {
  for (const bool masked : {false, true}) {
    std::string bytes = frame(kText, "one", masked) + frame(kText, std::string(130, 'x'), masked, false) +
                        frame(kPing, "p", masked) + frame(kContinuation, "end", masked) +
                        frame(kClose, "\x03\xe9 gone"s, masked);
    for (std::size_t size = 0; size <= bytes.size(); ++size) {
      const Read read(masked, std::string_view(bytes).substr(0, size));
      CHECK(!read.reader.damaged());
    }
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      for (int bit = 0; bit < 8; ++bit) {
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
        for (const std::size_t piece : {std::size_t{1}, std::size_t{1000}}) {
          const Read read(masked, bytes, piece);
          CHECK(read.messages.size() <= 2);
          CHECK(!(read.reader.damaged() && read.reader.between_frames()));
        }
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      }
    }
  }
}

}  // namespace weir::proxy::test
