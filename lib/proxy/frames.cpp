#include "proxy/frames.hpp"

#include <algorithm>

namespace weir::proxy {
namespace {

constexpr std::uint8_t kContinuation = 0, kBinary = 2, kClose = 8, kPong = 10;
constexpr std::size_t kMostControlBytes = 125;
constexpr std::size_t kUnmaskBytes = 4096;  // at a time

bool is_control(std::uint8_t opcode) {
  return opcode >= kClose;
}

bool is_known(std::uint8_t opcode) {
  return opcode <= kBinary || (opcode >= kClose && opcode <= kPong);
}

}  // namespace

void FrameReader::feed(std::string_view bytes, const OnPart& on_part) {
  while (!damaged_ && !bytes.empty()) {
    if (!in_frame_) {
      header_[header_size_++] = static_cast<std::uint8_t>(bytes.front());
      bytes.remove_prefix(1);
      if (header_size_ < 2 || header_size_ < header_length()) continue;
      begin_frame();
      if (!damaged_ && remaining_ == 0) take({}, on_part);
      continue;
    }
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(remaining_, bytes.size()));
    take(bytes.substr(0, size), on_part);
    bytes.remove_prefix(size);
  }
}

// Of the frame whose first two bytes have come.
std::size_t FrameReader::header_length() const {
  const std::uint8_t length = header_[1] & 0x7fU;
  return std::size_t{2} + (length == 126 ? 2 : length == 127 ? 8 : 0) + ((header_[1] & 0x80U) != 0 ? 4 : 0);
}

void FrameReader::begin_frame() {
  opcode_ = header_[0] & 0x0fU;
  final_ = (header_[0] & 0x80U) != 0;
  const bool reserved = (header_[0] & 0x70U) != 0;  // belong to extensions, and none is agreed on
  const bool has_mask = (header_[1] & 0x80U) != 0;
  remaining_ = header_[1] & 0x7fU;
  std::size_t at = 2;
  if (remaining_ >= 126) {
    const std::size_t size = remaining_ == 126 ? 2 : 8;
    remaining_ = 0;
    for (const std::size_t end = at + size; at < end; ++at) remaining_ = remaining_ << 8U | header_[at];
  }
  for (std::size_t i = 0; i < mask_.size() && has_mask; ++i) mask_[i] = static_cast<char>(header_[at + i]);
  header_size_ = 0;
  mask_at_ = 0;
  const bool in_place = is_control(opcode_) ? final_ && remaining_ <= kMostControlBytes
                                            : (opcode_ == kContinuation) == in_message_;
  damaged_ = reserved || has_mask != masked_ || !is_known(opcode_) || !in_place || (remaining_ >> 63U) != 0;
  in_frame_ = !damaged_;
}

// A piece of the payload; the frame's end if nothing is left of it.
void FrameReader::take(std::string_view piece, const OnPart& on_part) {
  remaining_ -= piece.size();
  const bool control = is_control(opcode_);
  const bool last = remaining_ == 0 && final_;
  if (control) {
    take_control(piece);
  } else if (wanted_ && !masked_) {
    if (!piece.empty() || last) on_part(piece, last);
  } else if (wanted_) {
    std::array<char, kUnmaskBytes> plain;
    do {
      const std::size_t size = std::min(piece.size(), plain.size());
      for (std::size_t i = 0; i < size; ++i) plain[i] = unmasked(piece[i], mask_at_ + i);
      piece.remove_prefix(size);
      mask_at_ += size;
      if (size > 0 || last) on_part({plain.data(), size}, last && piece.empty());
    } while (!piece.empty());
  }
  if (remaining_ > 0) return;
  in_frame_ = false;
  if (control) {
    end_control();
  } else {
    in_message_ = !final_;
  }
}

void FrameReader::take_control(std::string_view piece) {
  for (const char c : piece) control_ += masked_ ? unmasked(c, control_.size()) : c;
}

void FrameReader::end_control() {
  if (opcode_ == kClose && !close_) {
    close_.emplace();
    if (control_.size() >= 2) {
      close_->code = static_cast<std::uint16_t>(static_cast<std::uint8_t>(control_[0]) << 8U |
                                                static_cast<std::uint8_t>(control_[1]));
      close_->reason = control_.substr(2);
    }
  }
  control_.clear();
}

std::string close_frame(std::uint16_t code, std::string_view reason, bool masked) {
  constexpr std::size_t kMostReasonBytes = kMostControlBytes - 2;
  if (reason.size() > kMostReasonBytes) {
    std::size_t end = kMostReasonBytes;
    while (end > 0 && (static_cast<std::uint8_t>(reason[end]) & 0xC0U) == 0x80U) --end;  // whole characters
    reason = reason.substr(0, end);
  }
  std::string frame;
  frame += static_cast<char>(0x80U | kClose);
  frame += static_cast<char>((masked ? 0x80U : 0U) | (reason.size() + 2));
  if (masked) frame.append(4, '\0');
  frame += static_cast<char>(code >> 8U);
  frame += static_cast<char>(code & 0xffU);
  return frame += reason;
}

}  // namespace weir::proxy
