#include "provider/media_tokens.hpp"

#include <string>

#include <doctest/doctest.h>

#include "media_samples.hpp"

namespace weir::provider {
namespace {

using testing::base64;

std::int64_t image(const std::string& bytes, Generation generation, Resolution resolution = {}) {
  const std::string text = base64(bytes);
  return media_tokens({.mime = "image/png", .base64 = text, .seconds = {}, .resolution = resolution},
                      generation)
      .tokens;
}

}  // namespace

TEST_CASE("the size of an image is read from its header") {
  CHECK(pixel_size(base64(testing::png(640, 480))) == PixelSize{640, 480});
  CHECK(pixel_size(base64(testing::gif(320, 200))) == PixelSize{320, 200});
  CHECK(pixel_size(base64(testing::jpeg(1920, 1080, 16))) == PixelSize{1920, 1080});
  CHECK(pixel_size(base64(testing::webp_lossy(800, 600))) == PixelSize{800, 600});
  CHECK(pixel_size(base64(testing::webp_lossless(800, 601))) == PixelSize{800, 601});
  CHECK(pixel_size(base64(testing::webp_extended(4000, 3000))) == PixelSize{4000, 3000});
  // Behind metadata of any length: it is stepped over, not decoded.
  CHECK(pixel_size(base64(testing::jpeg(1920, 1080, 60'000))) == PixelSize{1920, 1080});
  CHECK_FALSE(pixel_size(base64("BM no such kind")));
  CHECK_FALSE(pixel_size(base64(testing::png(0, 480))));
  CHECK_FALSE(pixel_size("!!!"));
  CHECK_FALSE(pixel_size(""));
}

TEST_CASE("a header that is cut off or changed gives a size or none, and no harm") {
  for (const std::string& whole :
       {testing::png(640, 480), testing::gif(320, 200), testing::jpeg(1920, 1080, 40),
        testing::webp_lossy(800, 600), testing::webp_lossless(800, 600), testing::webp_extended(800, 600)}) {
    const std::string text = base64(whole);
    for (std::size_t end = 0; end < text.size(); ++end)
      (void)pixel_size(std::string_view(text).substr(0, end));
    for (std::size_t at = 0; at < whole.size(); ++at) {
      std::string changed = whole;
      for (const char flip : {'\x01', '\x80', '\xFF'}) {
        changed[at] = static_cast<char>(whole[at] ^ flip);
        const auto size = pixel_size(base64(changed));
        if (size) CHECK((size->width > 0 && size->height > 0));
        CHECK(image(changed, Generation::gemini_2) <= 258 * 24);
        CHECK(image(changed, Generation::tiles_512) <= 85 + 170 * 8);
      }
    }
  }
}

TEST_CASE("an image costs as its model's generation counts") {
  CHECK(image(testing::png(384, 384), Generation::gemini_2) == 258);
  CHECK(image(testing::png(960, 540), Generation::gemini_2) == 6 * 258);
  CHECK(image(testing::png(4000, 3000), Generation::gemini_2) == 4 * 3 * 258);
  CHECK(image(testing::png(100'000, 1), Generation::gemini_2) == 12 * 258);
  CHECK(image(testing::png(960, 540), Generation::gemini_3) == 1120);
  CHECK(image(testing::png(960, 540), Generation::gemini_3, Resolution::low) == 280);
  CHECK(image(testing::png(960, 540), Generation::gemma) == 256);
  CHECK(image(testing::png(1024, 1024), Generation::tiles_512) == 765);
  CHECK(image(testing::png(2048, 4096), Generation::tiles_512) == 1105);
  CHECK(image(testing::png(2048, 4096), Generation::tiles_512, Resolution::low) == 85);
}

TEST_CASE("the generation is read off the model's name") {
  CHECK(generation_of("gemini-2.5-flash") == Generation::gemini_2);
  CHECK(generation_of("models/gemini-1.5-pro") == Generation::gemini_2);
  CHECK(generation_of("gemini-live-2.5-flash-preview") == Generation::gemini_2);
  CHECK(generation_of("gemini-3-pro-preview") == Generation::gemini_3);
  CHECK(generation_of("google/gemini-3.1-flash-lite") == Generation::gemini_3);
  CHECK(generation_of("gemini-flash-latest") == Generation::gemini_3);
  CHECK(generation_of("gemma-3-27b-it") == Generation::gemma);
  CHECK(generation_of("gpt-4o") == Generation::tiles_512);
  CHECK(generation_of("") == Generation::tiles_512);
}

TEST_CASE("sound costs by its length: told, from its header, or by its size") {
  const std::string ten_seconds = base64(testing::wav(32'000, 320'000));
  CHECK(wav_seconds(ten_seconds).value_or(0) == doctest::Approx(10).epsilon(0.001));
  const Media wav{.mime = "audio/wav", .base64 = ten_seconds, .seconds = {}};
  CHECK(media_tokens(wav, Generation::gemini_2).tokens == 320);
  CHECK_FALSE(media_tokens(wav, Generation::gemini_2).uncertain);
  CHECK(media_tokens(wav, Generation::gemini_3).tokens == 250);

  const std::string bytes = base64(std::string(120'000, 'x'));
  const Media mp3{.mime = "audio/mpeg", .base64 = bytes, .seconds = {}};
  CHECK(media_tokens(mp3, Generation::gemini_2).tokens == 320);
  CHECK(media_tokens(mp3, Generation::gemini_2).uncertain);
  const Media raw{.mime = "audio/L16;rate=24000", .base64 = bytes, .seconds = {}};
  CHECK(media_tokens(raw, Generation::gemini_2).tokens == 80);
}

TEST_CASE("film costs by its length and rate") {
  const Media minute{.mime = "video/mp4", .base64 = {}, .seconds = 60};
  CHECK(media_tokens(minute, Generation::gemini_2).tokens == 60 * 263);
  CHECK(media_tokens(minute, Generation::gemini_3).tokens == 60 * 70);
  Media slow = minute;
  slow.frames_per_second = 0.5;
  CHECK(media_tokens(slow, Generation::gemini_3).tokens == 60 * 35);
  for (const double odd : {-1e300, 1e300}) {
    Media clip = minute;
    clip.seconds = odd;
    clip.frames_per_second = odd;
    const std::int64_t tokens = media_tokens(clip, Generation::gemini_2).tokens;
    CHECK((tokens >= 0 && tokens <= 1'000'000'000));
  }
}

TEST_CASE("a document costs by its pages: counted where they lie open, else by size") {
  std::string pdf = "%PDF-1.4\n1 0 obj << /Type /Catalog >>\n2 0 obj << /Type /Pages /Count 3 >>\n";
  for (int page = 0; page < 3; ++page) pdf += "<< /Type /Page /Parent 2 0 R >>\n<< /Type/Page>>\n";
  CHECK(pdf_pages(base64(pdf)) == 6);
  CHECK(pdf_pages(base64(pdf + std::string(1'000'000 - pdf.size(), ' '))) == 31);  // as dense behind the head
  CHECK(pdf_pages(base64(std::string(400'000, 'z'))) == 11);
  CHECK(pdf_pages("") == 1);
  const Media named{.mime = "application/pdf", .base64 = {}, .seconds = {}};
  CHECK(media_tokens(named, Generation::gemini_2).tokens == 10 * 258);
  CHECK(media_tokens(named, Generation::gemini_2).uncertain);
}

}  // namespace weir::provider
