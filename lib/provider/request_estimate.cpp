#include "provider/request_estimate.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "provider/json.hpp"
#include "provider/media_tokens.hpp"
#include "provider/text_tokens.hpp"

namespace weir::provider {
namespace {

using json::Element;

constexpr int kMaxDepth = 32;
constexpr std::int64_t kMostOutput = 1'000'000'000;
constexpr std::int64_t kMostImages = 100'000;
constexpr std::int64_t kMostRequests = 100'000;
// A turn's markers. OpenAI's cookbook counts 3 or 4 a message; Gemini's account shows hardly any.
constexpr std::int64_t kTurn = 4 * kMilli;
// What a member of an object costs beside its name and value: quotes, colon, comma.
constexpr std::int64_t kMember = 2 * kMilli;
// Functions and schemas are rendered into a prompt that nobody publishes: 15 to 30 % more was measured.
constexpr std::int64_t kSchemaPercent = 120;
// A cache that is only named: the smallest that can be made of a Pro model (4,096 tokens). Turns kept
// upstream: the same, for want of anything better.
constexpr std::int64_t kUnseen = 4096 * kMilli;
constexpr std::int64_t kImagenDefault = 4;  // images of an Imagen prediction that names no number

std::string_view as_text(Element value) {
  std::string_view text;
  return value.get(text) == simdjson::SUCCESS ? text : std::string_view{};
}

bool as_bool(Element value) {
  bool flag = false;
  return value.get(flag) == simdjson::SUCCESS && flag;
}

template <class Visit>  // visit(key, value); null counts as absent
void each_member(Element value, Visit visit) {
  simdjson::dom::object object;
  if (value.get(object) != simdjson::SUCCESS) return;
  for (const auto [key, member] : object) {
    if (!member.is_null()) visit(key, member);
  }
}

template <class Visit>
std::int64_t each_item(Element value, Visit visit) {
  simdjson::dom::array array;
  if (value.get(array) != simdjson::SUCCESS) return 0;
  std::int64_t items = 0;
  for (const Element item : array) {
    visit(item);
    ++items;
  }
  return items;
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

template <class... Keys>
bool is_any(std::string_view key, Keys... keys) {
  return ((key == std::string_view(keys)) || ...);
}

// "12.5s", as protobuf writes durations.
std::optional<double> duration_s(std::string_view text) {
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  const bool whole = error == std::errc() && std::string_view(end, text.data() + text.size()) == "s";
  return whole && std::isfinite(seconds) ? std::optional(seconds) : std::nullopt;
}

std::string_view mime_of_format(std::string_view format) {  // OpenAI's input_audio
  if (format == "wav") return "audio/wav";
  if (format == "flac") return "audio/flac";
  if (format == "opus") return "audio/opus";
  return "audio/mpeg";
}

// One medium as its part describes it, in any API's words.
struct MediaPart {
  Media media;
  bool present = false;
  double from_s = 0;
  std::optional<double> to_s;

  void inline_data(std::string_view mime, std::string_view base64) {
    present = true;
    if (!mime.empty()) media.mime = mime;
    media.base64 = base64;
  }
  // A data: URL, or any other.
  void url(std::string_view text, std::string_view mime) {
    constexpr std::string_view kScheme = "data:";
    constexpr std::string_view kCoding = ";base64,";
    const std::size_t coding = text.substr(0, 200).find(kCoding);
    if (!text.starts_with(kScheme) || coding == std::string_view::npos) {
      reference(mime);
      return;
    }
    inline_data(text.substr(kScheme.size(), coding - kScheme.size()), text.substr(coding + kCoding.size()));
  }
  void reference(std::string_view mime) {
    present = true;
    if (!mime.empty()) media.mime = mime;
  }
};

class Estimator {
 public:
  Estimator(std::string_view model, Resolution resolution)
      : generation_(generation_of(model)), resolution_(resolution) {}

  // Whatever a turn may hold: a text, a list, a part, a turn of its own, token numbers.
  void content(Element value, int depth);
  void tools(Element value) { millis_ += schema(value, 0) * kSchemaPercent / 100; }
  void turn() { millis_ += kTurn; }
  void unseen() {
    millis_ += kUnseen;
    uncertain_ = true;
  }

  [[nodiscard]] std::int64_t tokens() const { return (millis_ + kMilli - 1) / kMilli; }
  [[nodiscard]] bool uncertain() const { return uncertain_; }

 private:
  void object(Element value, int depth);
  void medium(MediaPart part);
  static void blob(Element value, MediaPart& part);
  static void image_url(Element value, MediaPart& part);
  static void clip(Element value, MediaPart& part);
  std::int64_t schema(Element value, int depth) const;

  Generation generation_;
  Resolution resolution_;
  std::int64_t millis_ = 0;
  bool uncertain_ = false;
};

void Estimator::content(Element value, int depth) {
  if (depth > kMaxDepth) return;
  switch (value.type()) {
    case simdjson::dom::element_type::STRING:
      millis_ += text_millitokens(as_text(value));
      break;
    case simdjson::dom::element_type::ARRAY:
      each_item(value, [&](Element item) { content(item, depth + 1); });
      break;
    case simdjson::dom::element_type::OBJECT:
      object(value, depth);
      break;
    case simdjson::dom::element_type::NULL_VALUE:
    case simdjson::dom::element_type::BOOL:
      break;
    default:  // an embedding's input may be token numbers
      millis_ += kMilli;
  }
}

void Estimator::object(Element value, int depth) {
  MediaPart part;
  part.media.resolution = resolution_;
  std::string_view data, uri, mime, type;
  each_member(value, [&](std::string_view key, Element member) {
    if (is_any(key, "text", "content", "parts", "output", "result", "summary", "refusal", "prompt", "file",
               "source")) {
      content(member, depth + 1);
    } else if (key == "role") {
      turn();
    } else if (is_any(key, "inlineData", "inline_data")) {
      blob(member, part);
    } else if (is_any(key, "fileData", "file_data")) {
      member.is_string() ? part.url(as_text(member), "application/pdf") : blob(member, part);
    } else if (is_any(key, "image_url", "file_url")) {
      image_url(member, part);
      if (part.media.mime.empty()) part.media.mime = key == "image_url" ? "image/" : "application/pdf";
    } else if (is_any(key, "file_id", "fileId")) {
      part.reference({});
    } else if (key == "input_audio") {
      std::string_view format, base64;
      each_member(member, [&](std::string_view name, Element field) {
        if (name == "format") format = as_text(field);
        if (name == "data") base64 = as_text(field);
      });
      part.inline_data(mime_of_format(format), base64);
    } else if (is_any(key, "videoMetadata", "video_metadata")) {
      clip(member, part);
    } else if (is_any(key, "mediaResolution", "media_resolution", "resolution", "detail")) {
      std::string_view word = as_text(member);
      if (word.empty()) word = json::text(member, "level");
      part.media.resolution = parse_resolution(word);
    } else if (is_any(key, "functionCall", "function_call", "functionResponse", "function_response",
                      "toolCall", "toolResponse", "tool_calls", "arguments", "executableCode",
                      "executable_code", "codeExecutionResult", "code_execution_result")) {
      millis_ += schema(member, depth + 1);
    } else if (key == "data") {
      data = as_text(member);
    } else if (is_any(key, "uri", "url")) {
      uri = as_text(member);
    } else if (is_any(key, "mimeType", "mime_type", "media_type")) {
      mime = as_text(member);
    } else if (key == "type") {
      type = as_text(member);
    }
  });
  // Interactions and Anthropic keep a medium's fields beside its type.
  if (!data.empty() && !mime.empty()) part.inline_data(mime, data);
  if (!uri.empty() && !part.present && (!mime.empty() || is_any(type, "image", "audio", "video", "document")))
    part.url(uri, mime);
  if (!part.present) return;
  if (part.media.mime.empty()) {
    for (const auto& [word, kind] : {std::pair<std::string_view, std::string_view>{"image", "image/"},
                                     {"audio", "audio/"},
                                     {"video", "video/"}}) {
      if (has(type, word)) part.media.mime = kind;
    }
  }
  medium(part);
}

void Estimator::medium(MediaPart part) {
  if (part.to_s) part.media.seconds = std::max(0.0, *part.to_s - part.from_s);
  const MediaTokens tokens = media_tokens(part.media, generation_);
  millis_ += tokens.tokens * kMilli;
  uncertain_ = uncertain_ || tokens.uncertain;
}

// {mimeType, data} or {mimeType, fileUri}
void Estimator::blob(Element value, MediaPart& part) {
  std::string_view mime, data, uri;
  each_member(value, [&](std::string_view key, Element member) {
    if (is_any(key, "mimeType", "mime_type")) mime = as_text(member);
    if (key == "data") data = as_text(member);
    if (is_any(key, "fileUri", "file_uri")) uri = as_text(member);
  });
  // Films of YouTube come without a type.
  if (mime.empty() && uri.find("youtu") != std::string_view::npos) mime = "video/";
  part.inline_data(mime, data);
}

// A URL, or {url, detail}
void Estimator::image_url(Element value, MediaPart& part) {
  if (value.is_string()) return part.url(as_text(value), {});
  each_member(value, [&](std::string_view key, Element member) {
    if (key == "url") part.url(as_text(member), {});
    if (key == "detail") part.media.resolution = parse_resolution(as_text(member));
  });
}

void Estimator::clip(Element value, MediaPart& part) {
  each_member(value, [&](std::string_view key, Element member) {
    if (is_any(key, "startOffset", "start_offset"))
      part.from_s = duration_s(as_text(member)).value_or(part.from_s);
    if (is_any(key, "endOffset", "end_offset")) part.to_s = duration_s(as_text(member));
    double fps = 0;
    if (key == "fps" && member.get(fps) == simdjson::SUCCESS) part.media.frames_per_second = fps;
  });
}

std::int64_t Estimator::schema(Element value, int depth) const {
  if (depth > kMaxDepth) return 0;
  std::int64_t millis = 0;
  switch (value.type()) {
    case simdjson::dom::element_type::STRING:
      return text_millitokens(as_text(value));
    case simdjson::dom::element_type::ARRAY:
      each_item(value, [&](Element item) { millis += schema(item, depth + 1) + kMilli; });
      return millis;
    case simdjson::dom::element_type::OBJECT:
      each_member(value, [&](std::string_view key, Element member) {
        millis += kMember + text_millitokens(key) + schema(member, depth + 1);
      });
      return millis + kMilli;
    default:
      return 2 * kMilli;  // a number, true, null
  }
}

// What the body says beside its content: read first, since it decides how media count.
struct Settings {
  std::int64_t output = 0;  // a candidate's most
  std::int64_t candidates = 1;
  std::int64_t asked = 0;  // images that predict's parameters name
  bool answers_in_images = false;
  Resolution resolution = Resolution::unspecified;
  RequestEstimate estimate;
};

std::int64_t bounded(Element value, std::int64_t most) {
  return std::min(json::count(value).value_or(0), most);
}

bool names_image(Element modalities) {
  bool found = false;
  each_item(modalities,
            [&](Element item) { found = found || is_any(as_text(item), "IMAGE", "image", "Image"); });
  return found;
}

void read_setting(std::string_view key, Element value, Settings& settings, bool nested) {
  if (is_any(key, "maxOutputTokens", "max_output_tokens", "max_tokens", "max_completion_tokens")) {
    settings.output = std::max(settings.output, bounded(value, kMostOutput));
  } else if (is_any(key, "candidateCount", "candidate_count", "n")) {
    settings.candidates = std::max<std::int64_t>(1, bounded(value, kMostImages));
  } else if (is_any(key, "responseModalities", "response_modalities")) {
    settings.answers_in_images = names_image(value);
  } else if (is_any(key, "mediaResolution", "media_resolution")) {
    settings.resolution = parse_resolution(as_text(value));
  } else if (is_any(key, "sampleCount", "numberOfImages", "sample_count", "number_of_images")) {
    settings.asked = bounded(value, kMostImages);
  } else if (key == "model" && !nested) {
    settings.estimate.model = as_text(value);
  } else if (key == "stream" && !nested) {
    settings.estimate.stream = as_bool(value);
  }
}

Settings read_settings(Element body) {
  Settings settings;
  each_member(body, [&](std::string_view key, Element value) {
    read_setting(key, value, settings, false);
    if (is_any(key, "generationConfig", "generation_config", "parameters")) {
      each_member(value,
                  [&](std::string_view name, Element member) { read_setting(name, member, settings, true); });
    }
  });
  return settings;
}

std::int64_t images_asked(Element body, const Settings& settings, std::string_view model) {
  if (json::member(body, "instances")) {
    const std::int64_t each = settings.asked > 0 ? settings.asked : has(model, "imagen") ? kImagenDefault : 0;
    return each * each_item(*json::member(body, "instances"), [](Element) {});
  }
  const bool by_prompt = !json::text(body, "prompt").empty() &&
                         (has(model, "image") || has(model, "dall-e"));  // OpenAI's images/generations
  if (by_prompt || settings.answers_in_images || (has(model, "gemini") && has(model, "-image")))
    return settings.candidates;
  return 0;
}

void read_content(Element body, Estimator& input, std::int64_t& requests) {
  each_member(body, [&](std::string_view key, Element value) {
    if (is_any(key, "contents", "content", "messages", "input", "prompt", "instances")) {
      input.content(value, 0);
    } else if (is_any(key, "systemInstruction", "system_instruction", "instructions", "system")) {
      input.turn();
      input.content(value, 0);
    } else if (key == "requests") {
      requests =
          std::clamp<std::int64_t>(each_item(value,
                                             [&](Element request) {
                                               if (const auto content = json::member(request, "content"))
                                                 input.content(*content, 1);
                                             }),
                                   1, kMostRequests);
    } else if (is_any(key, "tools", "functions", "response_format", "text", "responseSchema")) {
      input.tools(value);
    } else if (is_any(key, "generationConfig", "generation_config")) {
      each_member(value, [&](std::string_view name, Element member) {
        if (is_any(name, "responseSchema", "response_schema", "responseJsonSchema", "_responseJsonSchema",
                   "response_json_schema"))
          input.tools(member);
      });
    } else if (is_any(key, "cachedContent", "cached_content", "previous_interaction_id",
                      "previous_response_id", "conversation")) {
      input.unseen();
    }
  });
}

}  // namespace

RequestEstimate estimate_request(Element body, std::string_view model) {
  const Settings settings = read_settings(body);
  RequestEstimate estimate = settings.estimate;
  if (model.empty()) model = estimate.model;
  Estimator input(model, settings.resolution);
  read_content(body, input, estimate.requests);
  estimate.input_tokens = input.tokens();
  estimate.uncertain = input.uncertain();
  estimate.images = std::min(images_asked(body, settings, model), kMostImages);
  estimate.output_cap = std::min(settings.output * settings.candidates, kMostOutput);
  return estimate;
}

}  // namespace weir::provider
