#include "provider/stream_usage.hpp"

#include <algorithm>
#include <cstring>

#include <simdjson.h>

#include "provider/json.hpp"
#include "provider/usage.hpp"

namespace weir::provider {
namespace {

// A parser keeps about 14 times its largest document. Those of common events share one a thread; a huge one's
// goes.
constexpr std::size_t kSharedParserBytes = std::size_t{64} << 10;
constexpr std::size_t kReadAtOnceBytes = std::size_t{16} << 10;
// A line may be longer than its data by "data: " and CR; one cut off beyond that is still too long to be
// kept.
constexpr std::size_t kLineSlackBytes = 16;

bool mentions(std::string_view text, std::string_view needle) {
  return memmem(text.data(), text.size(), needle.data(), needle.size()) != nullptr;
}

// OpenAI's chunks carry "usage":null until the last.
bool mentions_usage(std::string_view text) {
  constexpr std::string_view kKey = "\"usage";
  while (const void* hit = memmem(text.data(), text.size(), kKey.data(), kKey.size())) {
    text.remove_prefix(static_cast<std::size_t>(static_cast<const char*>(hit) - text.data()) + kKey.size());
    if (!text.starts_with("\":null") && !text.starts_with("\": null")) return true;
  }
  return false;
}

bool mentions_images(std::string_view text) {
  return mentions(text, "\"bytesBase64Encoded\"") || mentions(text, "\"b64_json\"");
}

}  // namespace

void StreamUsage::feed(std::string_view bytes) {
  if (form_ == Form::unknown) {
    constexpr std::string_view kBlank = " \t\r\n\xEF\xBB\xBF";  // and a byte order mark
    const std::size_t start = bytes.find_first_not_of(kBlank);
    if (start == std::string_view::npos) return;
    bytes.remove_prefix(start);
    switch (bytes.front()) {
      case '{':
        form_ = Form::object;
        break;
      case '[':
        form_ = Form::array;
        bytes.remove_prefix(1);
        break;
      default:
        form_ = Form::events;
        break;
    }
  }
  switch (form_) {
    case Form::events:
      feed_events(bytes);
      break;
    case Form::array:
      feed_array(bytes);
      break;
    case Form::object:
      keep(bytes);
      break;
    case Form::unknown:
      break;
  }
}

void StreamUsage::finish() {
  if (form_ == Form::array) return;  // an element that never ended
  if (!line_.empty()) {
    on_line(line_);
    line_.clear();
  }
  on_event();
}

void StreamUsage::feed_events(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::string_view piece = bytes.substr(0, end);
    const bool ended = end != std::string_view::npos;
    if (ended && line_.empty()) {
      on_line(piece);
    } else {
      const std::size_t most = max_event_bytes_ - event_.size() + kLineSlackBytes;
      line_.append(piece.substr(0, most - std::min(most, line_.size())));
      if (ended) {
        on_line(line_);
        line_.clear();
      }
    }
    if (!ended) return;
    bytes.remove_prefix(end + 1);
  }
}

void StreamUsage::on_line(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (line.empty()) return on_event();
  if (too_long_ || !line.starts_with("data:")) return;
  line.remove_prefix(5);
  if (line.starts_with(' ')) line.remove_prefix(1);
  if (!event_.empty()) keep("\n");
  keep(line);
}

void StreamUsage::feed_array(std::string_view bytes) {
  std::size_t begin = 0;  // of the element, or of its rest
  std::size_t at = 0;
  while (at < bytes.size()) {
    if (in_string_) {
      at = skip_string(bytes, at);
      continue;
    }
    const char c = bytes[at++];
    if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      if (depth_++ == 0) begin = at - 1;
    } else if ((c == '}' || c == ']') && depth_ > 0 && --depth_ == 0) {
      keep(bytes.substr(begin, at - begin));
      on_event();
    }
  }
  if (depth_ > 0) keep(bytes.substr(begin));
}

// From `at` inside a string to behind its end, or to the end of the bytes.
std::size_t StreamUsage::skip_string(std::string_view bytes, std::size_t at) {
  if (escaped_) {
    escaped_ = false;
    ++at;
  }
  std::size_t quote = bytes.find('"', at);
  while (true) {
    const std::size_t backslash = bytes.substr(0, quote).find('\\', at);
    if (backslash == std::string_view::npos) {
      if (quote == std::string_view::npos) return bytes.size();
      in_string_ = false;
      return quote + 1;
    }
    at = backslash + 2;
    if (at > bytes.size()) {
      escaped_ = true;
      return bytes.size();
    }
    if (quote != std::string_view::npos && at > quote) quote = bytes.find('"', at);  // that one was escaped
  }
}

void StreamUsage::keep(std::string_view bytes) {
  if (too_long_) return;
  if (bytes.size() > max_event_bytes_ - event_.size()) {
    too_long_ = true;
    std::string().swap(event_);
    return;
  }
  if (event_.empty())
    event_.reserve(bytes.size() + simdjson::SIMDJSON_PADDING);  // as it is parsed, if this is all
  event_.append(bytes);
}

// Of the events of a stream few tell anything, and so do large answers like embeddings; a small answer that
// comes whole mostly has its account, and is read sooner than searched.
bool StreamUsage::may_tell() const {
  if (too_long_ || event_.empty()) return false;
  const bool whole = form_ == Form::object;
  if (whole && event_.size() <= kReadAtOnceBytes) return true;
  return mentions_usage(event_) || mentions(event_, "\"error\"") ||
         (whole && mentions_images(event_));  // answers that only list images never come as events
}

void StreamUsage::on_event() {
  const bool readable = may_tell();
  too_long_ = false;
  if (readable) {
    thread_local simdjson::dom::parser shared;
    simdjson::dom::parser own;
    simdjson::dom::parser& parser = event_.size() <= kSharedParserBytes ? shared : own;
    event_.reserve(event_.size() + simdjson::SIMDJSON_PADDING);  // then it is parsed where it stands
    simdjson::dom::element answer;
    if (parser.parse(event_).get(answer) == simdjson::SUCCESS) {
      usage_ = usage_after(usage_, answer);
      if (error_.empty() && json::error_in(answer)) error_ = event_;
    }
  }
  event_.clear();
}

}  // namespace weir::provider
