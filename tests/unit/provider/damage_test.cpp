// Damage of every kind to every recorded body: nothing crashes, and no number comes out that was not put in.
// What a sanitizer would find counts as a failure too; the build decides whether one is there.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <simdjson.h>

#include "provider/error.hpp"
#include "provider/stream_usage.hpp"
#include "provider/usage.hpp"

#include "print.hpp"
#include "upstream_data.hpp"

namespace weir::provider {
namespace {

struct Body {
  std::string name;
  std::string text;
};

std::vector<Body> bodies(const std::string& kind) {
  std::vector<Body> all;
  for (const std::string& name : testing::upstream_files(kind))
    all.push_back({name, testing::upstream_body(kind, name)});
  return all;
}

std::optional<Usage> streamed(std::string_view bytes) {
  StreamUsage reader;
  reader.feed(bytes.substr(0, bytes.size() / 2));
  reader.feed(bytes.substr(bytes.size() / 2));
  reader.finish();
  return reader.usage();
}

bool plausible(const std::optional<Usage>& usage) {
  if (!usage) return true;
  for (const std::int64_t count : {usage->input_tokens, usage->cached_input_tokens, usage->output_tokens,
                                   usage->thoughts_tokens, usage->tool_use_tokens, usage->images}) {
    if (count < 0 || count > std::int64_t{1} << 54) return false;
  }
  return usage->cached_input_tokens <= usage->input_tokens;
}

// Every account that the chunks of a body state, read from whole chunks only.
std::vector<std::optional<Usage>> stated(const Body& body) {
  if (body.name == "02-sse-text.txt") return {Usage{9, 0, 1, 105, 0}};
  if (body.name == "09-array-stream.json") return {Usage{11, 0, 0, 0, 0}, Usage{11, 0, 2, 291, 0}};
  return {streamed(body.text)};
}

template <typename T>
bool contains(const std::vector<T>& all, const T& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

bool well_formed(const UpstreamError& error) {
  return error.message.size() <= 500 && simdjson::validate_utf8(error.message) &&
         std::all_of(error.violations.begin(), error.violations.end(), [](const QuotaViolation& violation) {
           return violation.amount.value_or(0) >= 0 && simdjson::validate_utf8(violation.model);
         });
}

bool usage_reads_well(std::string_view text) {
  if (!plausible(streamed(text))) return false;
  simdjson::dom::parser parser;
  simdjson::dom::element answer;
  if (parser.parse(text.data(), text.size()).get(answer) != simdjson::SUCCESS) return true;
  (void)model_of(answer);
  return plausible(usage_of(answer));
}

bool error_reads_well(std::string_view text) {
  const auto error = error_of(429, text);
  return error && well_formed(*error);
}

void read_every_way(std::string_view text) {
  REQUIRE(usage_reads_well(text));
  REQUIRE(error_reads_well(text));
}

}  // namespace

TEST_CASE("every beginning of a recorded answer yields no usage, or one that stands in it") {
  for (const Body& body : bodies("samples")) {
    CAPTURE(body.name);
    const auto known = stated(body);
    for (std::size_t end = 0; end < body.text.size(); ++end) {
      const auto usage = streamed(std::string_view(body.text).substr(0, end));
      if (usage) REQUIRE(contains(known, usage));
    }
  }
}

TEST_CASE("every beginning of a recorded refusal yields no size and no hint but its own") {
  for (const Body& body : bodies("errors")) {
    CAPTURE(body.name);
    const auto whole = error_of(0, body.text);
    REQUIRE(whole);
    for (std::size_t end = 0; end < body.text.size(); ++end) {
      const auto error = error_of(whole->status, std::string_view(body.text).substr(0, end));
      REQUIRE(error);
      for (const QuotaViolation& violation : error->violations) {
        CAPTURE(violation);
        REQUIRE(
            std::any_of(whole->violations.begin(), whole->violations.end(), [&](const QuotaViolation& real) {
              return (!violation.amount || violation.amount == real.amount) &&
                     (violation.quota_id.empty() || violation.quota_id == real.quota_id) &&
                     (violation.model.empty() || violation.model == real.model) &&
                     (violation.period == QuotaPeriod::unknown || violation.period == real.period);
            }));
      }
      if (error->retry_after) REQUIRE(error->retry_after == whole->retry_after);
    }
  }
}

TEST_CASE("every recorded body with any one byte changed is read without harm") {
  const auto flip_each = [](const Body& body, bool (*reads_well)(std::string_view)) {
    CAPTURE(body.name);
    std::string text = body.text;
    constexpr char kFlips[] = {0x01, 0x10, '\x80', '\xFF'};
    // A long list of numbers is the same everywhere: its beginning and end will do.
    const bool long_list = text.size() > 10000;
    for (std::size_t at = 0; at < text.size(); ++at) {
      if (long_list && at == 500) at = text.size() - 500;
      const char original = text[at];
      text[at] = static_cast<char>(original ^ kFlips[at % 4]);
      REQUIRE(reads_well(text));
      text[at] = original;
    }
  };
  for (const Body& body : bodies("samples")) flip_each(body, usage_reads_well);
  for (const Body& body : bodies("errors")) flip_each(body, error_reads_well);
}

TEST_CASE("bytes at random, and pieces of real bodies in disorder, are read without harm") {
  std::mt19937 random(20261123);
  const auto below = [&](std::size_t n) {
    return std::uniform_int_distribution<std::size_t>(0, n - 1)(random);
  };
  std::vector<Body> all = bodies("samples");
  for (Body& body : bodies("errors")) all.push_back(std::move(body));
  constexpr std::string_view kAlphabet = "{}[]\",:\\ \n\rdata:usage0123456789.-eE'\xE2\x82\xAC\xFF";
  for (int round = 0; round < 1000; ++round) {
    std::string text;
    for (std::size_t part = 0; part < 4; ++part) {
      if (below(2) == 0) {
        for (std::size_t i = below(40); i > 0; --i) text.push_back(kAlphabet[below(kAlphabet.size())]);
      } else {
        const std::string& source = all[below(all.size())].text;
        text.append(source, below(source.size()), below(400));
      }
    }
    read_every_way(text);
  }
}

TEST_CASE("nesting without end is refused, not followed") {
  for (const char open : {'[', '{', '"', '\\'}) read_every_way(std::string(100000, open));
  std::string nested;
  for (int i = 0; i < 20000; ++i) nested += R"({"error":)";
  read_every_way(nested);
  // An error wrapped in errors as text, time and again: read to a bounded depth.
  std::string wrapped = R"({"error":{"message":"core"}})";
  for (int i = 0; i < 6; ++i) {
    std::string escaped;
    for (const char c : wrapped) {
      if (c == '"' || c == '\\') escaped += '\\';
      escaped += c;
    }
    wrapped = R"({"error":{"message":")" + escaped + "\"}}";
  }
  read_every_way(wrapped);
}

}  // namespace weir::provider
