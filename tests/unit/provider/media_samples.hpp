// Media files, as far as an estimate looks at them, made for the test.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::provider::testing {

inline std::string base64(std::string_view bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i) {
      const bool past = at + i > bytes.size();
      text += past ? '=' : kAlphabet[group >> (18 - 6 * i) & 63U];
    }
  }
  return text;
}

inline std::string big(std::uint32_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(value >> (8 * i));
  return text;
}
inline std::string little(std::uint32_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i));
  return text;
}

inline std::string png(std::uint32_t width, std::uint32_t height) {
  return "\x89PNG\r\n\x1a\n" + big(13, 4) + "IHDR" + big(width, 4) + big(height, 4) + "\x08\x06" +
         std::string(40, 'p');
}
inline std::string gif(std::uint32_t width, std::uint32_t height) {
  return "GIF89a" + little(width, 2) + little(height, 2) + std::string(20, 'g');
}
// With `metadata` bytes of an EXIF segment before the frame.
inline std::string jpeg(std::uint32_t width, std::uint32_t height, std::uint32_t metadata) {
  return "\xFF\xD8\xFF\xE1" + big(metadata + 2, 2) + std::string(metadata, 'e') + "\xFF\xC4" + big(6, 2) +
         "huff" + "\xFF\xC0" + big(17, 2) + "\x08" + big(height, 2) + big(width, 2) + std::string(20, 'j');
}
inline std::string riff(const std::string& rest) {
  return "RIFF" + little(static_cast<std::uint32_t>(rest.size()), 4) + rest;
}
inline std::string webp_lossy(std::uint32_t width, std::uint32_t height) {
  return riff("WEBPVP8 " + little(100, 4) + std::string(3, 't') + "\x9d\x01\x2a" + little(width, 2) +
              little(height, 2) + std::string(20, 'w'));
}
inline std::string webp_lossless(std::uint32_t width, std::uint32_t height) {
  return riff("WEBPVP8L" + little(100, 4) + "\x2f" + little((width - 1) | (height - 1) << 14, 4) +
              std::string(20, 'w'));
}
inline std::string webp_extended(std::uint32_t width, std::uint32_t height) {
  return riff("WEBPVP8X" + little(10, 4) + std::string(4, '\0') + little(width - 1, 3) +
              little(height - 1, 3) + std::string(20, 'w'));
}
inline std::string wav(std::uint32_t bytes_per_second, std::uint32_t size) {
  return riff("WAVEfmt " + little(16, 4) + little(1, 2) + little(1, 2) + little(bytes_per_second / 2, 4) +
              little(bytes_per_second, 4) + little(2, 2) + little(16, 2) + "data" + little(size, 4) +
              std::string(size, 's'));
}

}  // namespace weir::provider::testing
