#include "proxy/meter.hpp"

#include <zlib.h>

#include <doctest/doctest.h>

namespace weir::proxy::test {
namespace {

constexpr std::size_t kBound = 1 << 20;
const std::string kAnswer =
    R"({"candidates":[],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":3,"totalTokenCount":12}})";

std::string packed(const std::string& text, int window_bits) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY);
  std::string out(text.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::optional<Usage> usage_of(const std::string& encoding, const std::string& bytes, std::size_t piece) {
  Meter meter(200, encoding, "", kBound);
  for (std::size_t at = 0; at < bytes.size(); at += piece)
    meter.feed(std::string_view(bytes).substr(at, piece));
  meter.finish();
  return meter.usage();
}

}  // namespace

TEST_CASE("usage is read from plain, gzip and deflate answers, however they are cut") {
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{100'000}}) {
    for (const auto& [encoding, bytes] :
         {std::pair<std::string, std::string>{"", kAnswer},
          {"identity", kAnswer},
          {"GZIP", packed(kAnswer, 31)},
          {"deflate", packed(kAnswer, 15)},
          {"gzip", packed(kAnswer.substr(0, 20), 31) + packed(kAnswer.substr(20), 31)}}) {
      CAPTURE(encoding);
      const auto usage = usage_of(encoding, bytes, piece);
      REQUIRE(usage);
      CHECK(usage->input_tokens == 9);
      CHECK(usage->output_tokens == 3);
    }
  }
}

TEST_CASE("an unknown or damaged encoding is no usage, and no harm") {
  CHECK(!usage_of("br", kAnswer, 10));
  CHECK(!usage_of("gzip", kAnswer, 10));
  std::string damaged = packed(kAnswer, 31);
  damaged[20] = static_cast<char>(damaged[20] ^ 0x55);
  usage_of("gzip", damaged, 5);
  CHECK(!usage_of("gzip", "", 5));
}

TEST_CASE("an answer larger than the bound is not kept") {
  const std::string large = R"({"x":")" + std::string(kBound, 'x') + "\"," + kAnswer.substr(1);
  CHECK(!usage_of("", large, 4096));
}

TEST_CASE("an error is read from its body, encoded or not, with the header's hint") {
  const std::string error = R"({"error":{"code":429,"status":"RESOURCE_EXHAUSTED","message":"no"}})";
  for (const bool gzip : {false, true}) {
    Meter meter(429, gzip ? "gzip" : "", "7", kBound);
    meter.feed(gzip ? packed(error, 31) : error);
    meter.finish();
    const auto told = meter.error();
    REQUIRE(told);
    CHECK(told->status == 429);
    CHECK(told->retry_after == Micros(7'000'000));
    CHECK(!meter.usage());
  }
  Meter fine(200, "", "", kBound);
  fine.feed(kAnswer);
  fine.finish();
  CHECK(!fine.error());
}

}  // namespace weir::proxy::test
