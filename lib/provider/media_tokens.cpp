#include "provider/media_tokens.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>

namespace weir::provider {
namespace {

constexpr double kLongestSeconds = 100'000;  // of what a header or a request may claim: 28 hours
constexpr std::int64_t kBytesPerPage = 40'000;
constexpr std::size_t kPdfHead = 192 * 1024;
// Of a file that is only named.
constexpr double kAssumedSeconds = 60;
constexpr std::int64_t kAssumedPages = 10;
constexpr std::int64_t kAssumedText = 2000;
constexpr PixelSize kAssumedSize{1024, 1024};
constexpr double kVideoBytesPerSecond = 125'000;  // 1 Mbit/s

constexpr auto kSextets = [] {
  std::array<std::int8_t, 256> sextets{};
  sextets.fill(-1);
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (std::size_t i = 0; i < kAlphabet.size(); ++i)
    sextets[static_cast<unsigned char>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  sextets['-'] = 62;  // the alphabet for URLs
  sextets['_'] = 63;
  return sextets;
}();

// Bytes behind base64, each decoded when it is asked for. Beyond the end, or where the text is no base64,
// they read as 0 and `sound` turns false.
class Bytes {
 public:
  explicit Bytes(std::string_view base64) : base64_(base64) {}
  unsigned operator[](std::size_t at) {
    const std::size_t group = at / 3 * 4;
    const unsigned first = sextet(group + at % 3);
    const unsigned second = sextet(group + at % 3 + 1);
    const auto shift = static_cast<unsigned>(at % 3) * 2;
    return (first << (2 + shift) | second >> (4 - shift)) & 0xFFU;
  }
  bool starts_with(std::string_view text, std::size_t at = 0) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      if ((*this)[at + i] != static_cast<unsigned char>(text[i])) return false;
    }
    return true;
  }
  std::int64_t big(std::size_t at, std::size_t length) {
    std::int64_t value = 0;
    for (std::size_t i = 0; i < length; ++i) value = value << 8 | (*this)[at + i];
    return value;
  }
  std::int64_t little(std::size_t at, std::size_t length) {
    std::int64_t value = 0;
    for (std::size_t i = length; i > 0; --i) value = value << 8 | (*this)[at + i - 1];
    return value;
  }
  [[nodiscard]] bool sound() const { return sound_; }

 private:
  unsigned sextet(std::size_t at) {
    const int value = at < base64_.size() ? kSextets[static_cast<unsigned char>(base64_[at])] : -1;
    if (value < 0) sound_ = false;
    return value < 0 ? 0U : static_cast<unsigned>(value);
  }
  std::string_view base64_;
  bool sound_ = true;
};

std::optional<PixelSize> size_if(bool known, std::int64_t width, std::int64_t height, const Bytes& bytes) {
  if (!known || !bytes.sound() || width <= 0 || height <= 0) return std::nullopt;
  return PixelSize{width, height};
}

std::optional<PixelSize> webp_size(Bytes& bytes) {
  if (bytes.starts_with("VP8X", 12))
    return size_if(true, bytes.little(24, 3) + 1, bytes.little(27, 3) + 1, bytes);
  if (bytes.starts_with("VP8L", 12)) {
    const std::int64_t bits = bytes.little(21, 4);
    return size_if(true, (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bytes);
  }
  return size_if(bytes.starts_with("VP8 ", 12), bytes.little(26, 2) & 0x3FFF, bytes.little(28, 2) & 0x3FFF,
                 bytes);
}

// Walks from segment to segment up to the frame header, without decoding what lies between.
std::optional<PixelSize> jpeg_size(Bytes& bytes) {
  std::size_t at = 2;
  for (int segment = 0; segment < 256 && bytes.sound() && bytes[at] == 0xFF; ++segment) {
    const unsigned marker = bytes[at + 1];
    const bool frame = marker >= 0xC0 && marker <= 0xCF && marker != 0xC4 && marker != 0xC8 && marker != 0xCC;
    if (frame) return size_if(true, bytes.big(at + 7, 2), bytes.big(at + 5, 2), bytes);
    at += marker == 0xFF ? 1 : 2 + static_cast<std::size_t>(bytes.big(at + 2, 2));  // 0xFF: a fill byte
  }
  return std::nullopt;
}

std::int64_t ceil_div(std::int64_t a, std::int64_t b) {
  return (a + b - 1) / b;
}

// Shrunk so that neither side is above `most`; never below one pixel.
PixelSize fit(PixelSize size, std::int64_t most) {
  const std::int64_t longer = std::max(size.width, size.height);
  if (longer <= most) return size;
  const double scale = static_cast<double>(most) / static_cast<double>(longer);
  const auto side = [scale](std::int64_t pixels) {
    return std::max<std::int64_t>(1, std::llround(static_cast<double>(pixels) * scale));
  };
  return {side(size.width), side(size.height)};
}

// Gemini 2: 258 up to 384 x 384; else shrunk to 3072, and cut into squares of the shorter side / 1.5, between
// 256 and 768, of 258 each. 960 x 540 -> squares of 360 -> 3 x 2 -> 1548.
std::int64_t tiles_of_gemini(PixelSize size) {
  if (size.width <= 384 && size.height <= 384) return 1;
  size = fit(size, 3072);
  const std::int64_t unit = std::clamp<std::int64_t>(std::min(size.width, size.height) * 2 / 3, 256, 768);
  return ceil_div(size.width, unit) * ceil_div(size.height, unit);
}

// OpenAI: shrunk to 2048, then to a shorter side of 768; 170 for each square of 512, and 85.
// 1024 x 1024 -> 768 x 768 -> 4 squares -> 765.
std::int64_t tokens_of_tiles_512(PixelSize size) {
  size = fit(size, 2048);
  if (const std::int64_t shorter = std::min(size.width, size.height); shorter > 768)
    size = fit(size, std::max(size.width, size.height) * 768 / shorter);
  return 85 + 170 * ceil_div(size.width, 512) * ceil_div(size.height, 512);
}

MediaTokens image_tokens(const Media& media, Generation generation) {
  switch (generation) {
    case Generation::gemma:
      return {256, false};
    case Generation::gemini_3:
      switch (media.resolution) {
        case Resolution::low:
          return {280, false};
        case Resolution::medium:
          return {560, false};
        case Resolution::ultra_high:
          return {2240, false};
        default:
          return {1120, false};
      }
    default:
      break;
  }
  if (media.resolution == Resolution::low) return {generation == Generation::gemini_2 ? 64 : 85, false};
  const auto known = media.base64.empty() ? std::nullopt : pixel_size(media.base64);
  const PixelSize size = known.value_or(kAssumedSize);
  const std::int64_t tokens =
      generation == Generation::gemini_2 ? 258 * tiles_of_gemini(size) : tokens_of_tiles_512(size);
  return {tokens, !known};
}

// Bytes a second where no header tells: on the low side, so that the length comes out on the high side.
double audio_bytes_per_second(std::string_view mime) {
  if (const std::size_t rate = mime.find("rate="); rate != std::string_view::npos) {
    // audio/L16;rate=24000: samples of two bytes
    int samples = 0;
    const char* first = mime.data() + rate + 5;
    if (std::from_chars(first, mime.data() + mime.size(), samples).ec == std::errc() && samples >= 1000)
      return 2.0 * samples;
  }
  for (const auto& [kind, rate] : {std::pair{std::string_view("wav"), 32'000.0},
                                   {"pcm", 32'000.0},
                                   {"l16", 32'000.0},
                                   {"flac", 50'000.0},
                                   {"aiff", 88'000.0},
                                   {"ogg", 6'000.0},
                                   {"opus", 6'000.0},
                                   {"webm", 6'000.0}}) {
    if (mime.find(kind) != std::string_view::npos) return rate;
  }
  return 12'000;  // mp3, aac, m4a: 96 kbit/s
}

MediaTokens audio_tokens(const Media& media, Generation generation) {
  const double rate = generation == Generation::gemini_3 ? 25 : 32;
  std::optional<double> known = media.seconds;
  if (!known && !media.base64.empty()) known = wav_seconds(media.base64);
  const double assumed = media.base64.empty() ? kAssumedSeconds
                                              : static_cast<double>(decoded_size(media.base64)) /
                                                    audio_bytes_per_second(media.mime);
  const double length = std::clamp(known.value_or(assumed), 0.0, kLongestSeconds);
  return {static_cast<std::int64_t>(std::ceil(length * rate)), !known};
}

MediaTokens video_tokens(const Media& media, Generation generation) {
  const bool low = media.resolution == Resolution::low;
  double frame = low ? 66 : 258;
  double sound = 5;  // together 263 a second at one frame a second
  if (generation == Generation::gemini_3) {
    frame = media.resolution == Resolution::high ? 280 : 70;
    sound = 0;  // 65 a second were measured for both together
  }
  const double assumed = media.base64.empty()
                             ? kAssumedSeconds
                             : static_cast<double>(decoded_size(media.base64)) / kVideoBytesPerSecond;
  const double length = std::clamp(media.seconds.value_or(assumed), 0.0, kLongestSeconds);
  const double rate = frame * std::clamp(media.frames_per_second, 0.01, 24.0) + sound;
  return {static_cast<std::int64_t>(std::ceil(length * rate)), !media.seconds};
}

MediaTokens document_tokens(const Media& media, Generation generation) {
  std::int64_t page = 258;
  if (generation == Generation::gemini_3) {
    page = media.resolution == Resolution::low ? 280 : media.resolution == Resolution::high ? 1120 : 560;
  } else if (generation == Generation::tiles_512) {
    page = 1400;  // the page's image and its text
  }
  return {page * (media.base64.empty() ? kAssumedPages : pdf_pages(media.base64)), true};
}

}  // namespace

Generation generation_of(std::string_view model) {
  if (const std::size_t slash = model.rfind('/'); slash != std::string_view::npos)
    model.remove_prefix(slash + 1);
  if (model.starts_with("gemma")) return Generation::gemma;
  if (!model.starts_with("gemini")) return Generation::tiles_512;
  const std::size_t digit = model.find_first_of("0123456789");
  int number = 0;
  if (digit == std::string_view::npos) return Generation::gemini_3;
  std::from_chars(model.data() + digit, model.data() + model.size(), number);
  return number >= 3 ? Generation::gemini_3 : Generation::gemini_2;
}

Resolution parse_resolution(std::string_view word) {
  std::string lower(word.substr(0, 40));
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  std::string_view text = lower;
  constexpr std::string_view kPrefix = "media_resolution_";
  if (text.starts_with(kPrefix)) text.remove_prefix(kPrefix.size());
  if (text == "low") return Resolution::low;
  if (text == "medium") return Resolution::medium;
  if (text == "high") return Resolution::high;
  if (text == "ultra_high") return Resolution::ultra_high;
  return Resolution::unspecified;
}

MediaTokens media_tokens(const Media& media, Generation generation) {
  if (media.mime.starts_with("image/")) return image_tokens(media, generation);
  if (media.mime.starts_with("audio/")) return audio_tokens(media, generation);
  if (media.mime.starts_with("video/")) return video_tokens(media, generation);
  if (media.mime.ends_with("/pdf")) return document_tokens(media, generation);
  if (media.base64.empty()) return {kAssumedText, true};
  return {decoded_size(media.base64) / 4 + 1, true};  // a text, or what is taken for one
}

std::optional<PixelSize> pixel_size(std::string_view base64) {
  Bytes bytes(base64);
  if (bytes.starts_with("\x89PNG\r\n")) return size_if(true, bytes.big(16, 4), bytes.big(20, 4), bytes);
  if (bytes.starts_with("GIF8")) return size_if(true, bytes.little(6, 2), bytes.little(8, 2), bytes);
  if (bytes.starts_with("RIFF") && bytes.starts_with("WEBP", 8)) return webp_size(bytes);
  if (bytes.starts_with("\xFF\xD8")) return jpeg_size(bytes);
  return std::nullopt;
}

std::optional<double> wav_seconds(std::string_view base64) {
  Bytes bytes(base64);
  if (!bytes.starts_with("RIFF") || !bytes.starts_with("WAVEfmt ", 8)) return std::nullopt;
  const std::int64_t bytes_per_second = bytes.little(28, 4);
  if (!bytes.sound() || bytes_per_second < 1000) return std::nullopt;
  return static_cast<double>(std::max<std::int64_t>(0, decoded_size(base64) - 44)) /
         static_cast<double>(bytes_per_second);
}

std::int64_t pdf_pages(std::string_view base64) {
  std::string head;
  Bytes bytes(base64);
  const auto size = static_cast<std::size_t>(decoded_size(base64));
  head.reserve(std::min(size, kPdfHead));
  for (std::size_t at = 0; at < std::min(size, kPdfHead) && bytes.sound(); ++at)
    head.push_back(static_cast<char>(bytes[at]));
  std::int64_t open = 0;
  for (std::size_t at = head.find("/Type"); at != std::string::npos; at = head.find("/Type", at + 5)) {
    const std::size_t value = head.find_first_not_of(" \r\n", at + 5);
    if (value == std::string::npos) break;
    const std::string_view name = std::string_view(head).substr(value, 6);
    open += name.starts_with("/Page") && (name.size() < 6 || name[5] < 'A');  // not /Pages
  }
  if (open == 0) return 1 + static_cast<std::int64_t>(size) / kBytesPerPage;
  const double scale = static_cast<double>(size) / static_cast<double>(std::max<std::size_t>(head.size(), 1));
  return std::max<std::int64_t>(1, std::llround(static_cast<double>(open) * scale));
}

std::int64_t decoded_size(std::string_view base64) {
  while (!base64.empty() && base64.back() == '=') base64.remove_suffix(1);
  return static_cast<std::int64_t>(base64.size() / 4 * 3 + base64.size() % 4 * 3 / 4);
}

}  // namespace weir::provider
