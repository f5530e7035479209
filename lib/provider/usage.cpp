#include "provider/usage.hpp"

#include <algorithm>

#include "provider/json.hpp"
#include "provider/stream_usage.hpp"

namespace weir::provider {
namespace {

using json::Element;
using json::member;

// Of a call: a thousand times the largest context. What says more is damaged, and sums of it would overflow.
constexpr std::int64_t kMostTokens = 1'000'000'000;

// One usage object. An absent or null count is 0; one that is anything but a count spoils the whole account.
class Account {
 public:
  explicit Account(Element object) : object_(object) {}

  std::int64_t at(std::string_view key) { return read(member(object_, key)); }
  std::int64_t at(std::string_view group, std::string_view key) {
    const auto details = member(object_, group);
    return details ? read(member(*details, key)) : 0;
  }
  [[nodiscard]] bool names(std::string_view key) const { return member(object_, key).has_value(); }

  // What was read, unless the account is damaged or names nothing that we know.
  [[nodiscard]] std::optional<Usage> sound(Usage usage) const {
    if (damaged_ || !found_) return std::nullopt;
    usage.cached_input_tokens = std::min(usage.cached_input_tokens, usage.input_tokens);
    return usage;
  }

 private:
  std::int64_t read(const std::optional<Element>& value) {
    if (!value) return 0;
    const auto number = json::count(*value);
    if (!number || *number > kMostTokens) damaged_ = true;
    found_ = true;
    return number.value_or(0);
  }

  Element object_;
  bool found_ = false;
  bool damaged_ = false;
};

// How Google's APIs name the same parts.
struct GoogleNames {
  std::string_view prompt, cached, output, live_output, thoughts, tool_use, total;
};
constexpr GoogleNames kGemini = {"promptTokenCount",   "cachedContentTokenCount", "candidatesTokenCount",
                                 "responseTokenCount", "thoughtsTokenCount",      "toolUsePromptTokenCount",
                                 "totalTokenCount"};
// As Google's SDK for Python dumps its answers.
constexpr GoogleNames kGeminiSnake = {
    "prompt_token_count",   "cached_content_token_count",  "candidates_token_count", "response_token_count",
    "thoughts_token_count", "tool_use_prompt_token_count", "total_token_count"};
constexpr GoogleNames kInteractions = {
    "total_input_tokens",   "total_cached_tokens",   "total_output_tokens", "",
    "total_thought_tokens", "total_tool_use_tokens", "total_tokens"};

std::optional<Usage> google_usage(Element object, const GoogleNames& names) {
  Account account(object);
  const std::int64_t prompt = account.at(names.prompt);
  const std::int64_t tool_use = account.at(names.tool_use);
  Usage usage;
  usage.output_tokens = account.names(names.output) || names.live_output.empty()
                            ? account.at(names.output)
                            : account.at(names.live_output);
  usage.thoughts_tokens = account.at(names.thoughts);
  usage.cached_input_tokens = account.at(names.cached);
  std::int64_t input = account.at(names.total) - usage.output_tokens - usage.thoughts_tokens;
  if (input < prompt + tool_use) input = prompt + tool_use;  // no total, or one that cannot be
  usage.tool_use_tokens = tool_use;
  usage.input_tokens = input - tool_use;
  return account.sound(usage);
}

// OpenAI chat and embeddings, and Google's endpoint of that form.
std::optional<Usage> chat_usage(Element object) {
  Account account(object);
  const std::int64_t completion = account.at("completion_tokens");
  const std::int64_t total = account.at("total_tokens");
  const std::int64_t reasoning = account.at("completion_tokens_details", "reasoning_tokens");
  Usage usage;
  // Some embedding APIs state only the total.
  usage.input_tokens = account.names("prompt_tokens") ? account.at("prompt_tokens")
                                                      : std::max<std::int64_t>(total - completion, 0);
  usage.cached_input_tokens = account.at("prompt_tokens_details", "cached_tokens");
  const std::int64_t billed = std::max(completion, total - usage.input_tokens);
  const std::int64_t hidden = billed - completion;
  usage.thoughts_tokens = std::min(std::max(hidden, reasoning), billed);
  usage.output_tokens = billed - usage.thoughts_tokens;
  return account.sound(usage);
}

// OpenAI responses and realtime, and Anthropic, whose last chunk may state the output alone.
std::optional<Usage> responses_usage(Element object, const std::optional<Usage>& earlier) {
  Account account(object);
  const std::int64_t output = account.at("output_tokens");
  const std::int64_t cache_read = account.at("cache_read_input_tokens");
  Usage usage;
  usage.input_tokens = account.at("input_tokens") + cache_read + account.at("cache_creation_input_tokens");
  usage.cached_input_tokens = cache_read + account.at("input_tokens_details", "cached_tokens") +
                              account.at("input_token_details", "cached_tokens");
  if (earlier && !account.names("input_tokens")) {
    usage.input_tokens = earlier->input_tokens;
    usage.cached_input_tokens = earlier->cached_input_tokens;
  }
  usage.thoughts_tokens = std::min(account.at("output_tokens_details", "reasoning_tokens"), output);
  usage.output_tokens = output - usage.thoughts_tokens;
  return account.sound(usage);
}

std::optional<Usage> account_of(Element object, const std::optional<Usage>& earlier) {
  const Account account(object);
  if (account.names("total_input_tokens") || account.names("total_output_tokens")) {
    return google_usage(object, kInteractions);
  }
  if (account.names("input_tokens") || account.names("output_tokens"))
    return responses_usage(object, earlier);
  return chat_usage(object);
}

struct Accounts {
  bool named = false;  // there is a usage object, readable or not
  std::optional<Usage> usage;
};

Accounts accounts_in(Element object, const std::optional<Usage>& earlier) {
  if (const auto gemini = member(object, "usageMetadata")) return {true, google_usage(*gemini, kGemini)};
  if (const auto snake = member(object, "usage_metadata")) return {true, google_usage(*snake, kGeminiSnake)};
  if (const auto usage = member(object, "usage")) return {true, account_of(*usage, earlier)};
  return {};
}

// The objects in which an event may wrap its answer: OpenAI responses, Interactions, Anthropic, Groq.
constexpr std::string_view kWrappers[] = {"response", "interaction", "message", "x_groq"};

template <typename Visit>
void for_each(Element object, std::string_view key, Visit visit) {
  simdjson::dom::array items;
  const auto found = member(object, key);
  if (!found || found->get(items) != simdjson::SUCCESS) return;
  for (const Element item : items) visit(item);
}

// Images that an API without token accounts lists: predictions (Imagen), data (OpenAI's form).
std::int64_t listed_images(Element object) {
  std::int64_t images = 0;
  for_each(object, "predictions",
           [&](Element item) { images += member(item, "bytesBase64Encoded").has_value(); });
  for_each(object, "data", [&](Element item) {
    images += member(item, "b64_json").has_value() || !json::text(item, "url").empty();
  });
  return images;
}

bool is_thought(Element part) {
  bool thought = false;
  const auto flag = member(part, "thought");
  return flag && flag->get(thought) == simdjson::SUCCESS && thought;
}

std::int64_t inline_images(Element object) {
  std::int64_t images = 0;
  for_each(object, "candidates", [&](Element candidate) {
    const auto content = member(candidate, "content");
    if (!content) return;
    for_each(*content, "parts", [&](Element part) {
      const auto data = member(part, "inlineData");
      images += data && json::text(*data, "mimeType").starts_with("image/") && !is_thought(part);
    });
  });
  return images;
}

std::optional<Usage> after_object(const std::optional<Usage>& earlier, Element object) {
  Accounts accounts = accounts_in(object, earlier);
  for (const std::string_view wrapper : kWrappers) {
    if (accounts.named) break;
    if (const auto inner = member(object, wrapper)) accounts = accounts_in(*inner, earlier);
  }
  const std::int64_t listed = listed_images(object);
  if (!accounts.usage) {
    if (accounts.named || listed == 0) return earlier;
    accounts.usage = earlier.value_or(Usage{});
    accounts.usage->images = 0;
  }
  accounts.usage->images = (earlier ? earlier->images : 0) + listed + inline_images(object);
  return accounts.usage;
}

std::string_view model_in_object(Element object) {
  for (const std::string_view key : {"modelVersion", "model", "model_version"}) {
    if (const auto name = json::text(object, key); !name.empty()) return name;
  }
  return {};
}

}  // namespace

std::optional<Usage> usage_after(const std::optional<Usage>& earlier, Element chunk) {
  simdjson::dom::array chunks;
  if (chunk.get(chunks) != simdjson::SUCCESS) return after_object(earlier, chunk);
  std::optional<Usage> usage = earlier;
  for (const Element part : chunks) usage = after_object(usage, part);
  return usage;
}

std::optional<Usage> usage_of(Element answer) {
  std::string_view text;
  if (answer.get(text) != simdjson::SUCCESS) return usage_after(std::nullopt, answer);
  StreamUsage stream;
  stream.feed(text);
  stream.finish();
  return stream.usage();
}

std::string_view model_of(Element answer) {
  simdjson::dom::array chunks;
  if (answer.get(chunks) == simdjson::SUCCESS) {
    for (const Element chunk : chunks) {
      if (!chunk.is_object()) continue;
      if (const auto name = model_of(chunk); !name.empty()) return name;
    }
    return {};
  }
  if (const auto name = model_in_object(answer); !name.empty()) return name;
  for (const std::string_view wrapper : kWrappers) {
    const auto inner = member(answer, wrapper);
    if (!inner) continue;
    if (const auto name = model_in_object(*inner); !name.empty()) return name;
  }
  return {};
}

}  // namespace weir::provider
