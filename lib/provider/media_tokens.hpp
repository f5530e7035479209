// How many tokens an image, a sound, a film or a document makes. Pure; of inline data only the head is
// decoded. Figures are the published ones, by model generation; docs/estimates.md lists them with sources.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::provider {

// How a model counts what is not text.
enum class Generation : std::uint8_t {
  gemini_2,  // and before; tiles of an image
  gemini_3,  // and after, and Gemini's names without a number; a fixed cost an image
  gemma,
  tiles_512,  // OpenAI's, and the assumption for all others
};
Generation generation_of(std::string_view model);

enum class Resolution : std::uint8_t { unspecified, low, medium, high, ultra_high };
// "MEDIA_RESOLUTION_LOW", "media_resolution_low", "low"; anything else is unspecified.
Resolution parse_resolution(std::string_view word);

struct Media {
  std::string_view mime;          // "image/png"; "" = unknown
  std::string_view base64;        // inline data; "" = a reference to a file
  std::optional<double> seconds;  // told by the request (a clip of a video)
  double frames_per_second = 1;   // told by the request
  Resolution resolution = Resolution::unspecified;
};

struct MediaTokens {
  std::int64_t tokens = 0;
  bool uncertain = false;  // rests on an assumption: size, length or kind are unknown
};
MediaTokens media_tokens(const Media& media, Generation generation);

struct PixelSize {
  std::int64_t width = 0, height = 0;
  bool operator==(const PixelSize&) const = default;
};
// From the header of a PNG, GIF, WebP or JPEG; nullopt if it is none, or its header is damaged or farther in
// than 256 segments.
std::optional<PixelSize> pixel_size(std::string_view base64);
// Of a WAV file, from its header.
std::optional<double> wav_seconds(std::string_view base64);
// Pages of a PDF: counted where page objects lie open in its first 192 KiB (and scaled up to its size), else
// one for each 40 KB. At least 1.
std::int64_t pdf_pages(std::string_view base64);

// The bytes that base64 text stands for, about.
std::int64_t decoded_size(std::string_view base64);

}  // namespace weir::provider
