// Bytes received on a connection: the request under way, contiguous, and whatever the client has sent after
// it. Starts small, grows while a large request comes in, and is small again afterwards. Owned by one
// connection, loop thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <memory>
#include <span>

namespace weir::http {

class InputBuffer {
 public:
  static constexpr std::size_t kInitialBytes = 2048;
  static constexpr std::size_t kKeepBytes = 16 * 1024;  // a larger one is given back after its request
  static constexpr std::size_t kPadding = 64;           // always readable behind the last byte

  // The first byte of the request under way, and how many bytes there are from it on.
  [[nodiscard]] char* data() { return bytes_.get() + begin_; }
  [[nodiscard]] std::size_t size() const { return end_ - begin_; }

  // Room to receive into, at least for `least` bytes. May move the bytes: views into them end here.
  std::span<char> prepare(std::size_t least = kInitialBytes / 4) {
    if (capacity_ == 0) reallocate(kInitialBytes);
    if (free_bytes() < least && begin_ > 0) {
      std::memmove(bytes_.get(), data(), size());
      end_ = size();
      begin_ = 0;
    }
    if (free_bytes() < std::max(least, size() / 4)) reallocate(std::max(capacity_ * 2, size() + least));
    return {bytes_.get() + end_, free_bytes()};
  }
  void commit(std::size_t count) { end_ += count; }

  // The request that began at data() is done with: the next one begins `count` bytes on.
  void consume(std::size_t count) {
    begin_ += count;
    if (begin_ == end_) begin_ = end_ = 0;
    if (capacity_ > kKeepBytes && size() <= kInitialBytes / 4) reallocate(kInitialBytes);
  }

  // Takes the bytes [from, to) out of the request under way; what follows moves up.
  void erase(std::size_t from, std::size_t to) {
    if (from == to) return;
    std::memmove(data() + from, data() + to, size() - to);
    end_ -= to - from;
  }

 private:
  [[nodiscard]] std::size_t free_bytes() const { return capacity_ - end_; }

  void reallocate(std::size_t capacity) {
    auto bytes = std::make_unique_for_overwrite<char[]>(capacity + kPadding);
    const std::size_t kept = size();
    if (kept > 0) std::memcpy(bytes.get(), data(), kept);
    bytes_ = std::move(bytes);
    capacity_ = capacity;
    begin_ = 0;
    end_ = kept;
  }

  std::unique_ptr<char[]> bytes_;  // capacity_ + kPadding of them
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace weir::http
