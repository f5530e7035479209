#include "catalog/node.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

#include <fmt/format.h>

#include "time/rfc3339.hpp"

namespace weir::catalog {
namespace {

constexpr std::int64_t kLargestAmount = 1'000'000'000'000'000;
constexpr double kLargestScaled = 1e6;

std::string pointer_token(std::string_view key) {
  std::string token = "/";
  for (const char c : key) {
    if (c == '~') {
      token += "~0";
    } else if (c == '/') {
      token += "~1";
    } else {
      token += c;
    }
  }
  return token;
}

[[noreturn]] void fail_at(const std::string& file, const std::string& pointer, std::string_view what) {
  throw std::runtime_error(fmt::format("{}: {}: {}", file, pointer.empty() ? "/" : pointer, what));
}

// Follows the parser to know where it is.
class DuplicateKeys {
 public:
  explicit DuplicateKeys(const std::string& file) : file_(file) {}

  bool operator()(nlohmann::json::parse_event_t event, const nlohmann::json& parsed) {
    using Event = nlohmann::json::parse_event_t;
    switch (event) {
      case Event::object_start:
        frames_.push_back({false, 0, {}, {}});
        break;
      case Event::array_start:
        frames_.push_back({true, 0, {}, {}});
        break;
      case Event::key:
        key(parsed.get<std::string>());
        break;
      case Event::object_end:
      case Event::array_end:
        frames_.pop_back();
        [[fallthrough]];
      case Event::value:
        if (!frames_.empty()) ++frames_.back().index;
        break;
    }
    return true;
  }

 private:
  struct Frame {
    bool is_array;
    std::size_t index;
    std::string key;
    std::set<std::string> keys;
  };

  void key(const std::string& name) {
    frames_.back().key = name;
    if (frames_.back().keys.insert(name).second) return;
    std::string pointer;
    for (const Frame& frame : frames_) {
      pointer += frame.is_array ? '/' + std::to_string(frame.index) : pointer_token(frame.key);
    }
    fail_at(file_, pointer, "stands here twice");
  }

  const std::string& file_;
  std::vector<Frame> frames_;
};

}  // namespace

nlohmann::json parse_json(const std::string& file, const std::string& text) {
  DuplicateKeys duplicates(file);
  try {
    return nlohmann::json::parse(text, [&](int, nlohmann::json::parse_event_t event, nlohmann::json& parsed) {
      return duplicates(event, parsed);
    });
  } catch (const nlohmann::json::parse_error& error) {
    fail_at(file, "", error.what());
  }
}

void Node::fail(std::string_view what) const {
  fail_at(*file_, pointer_, what);
}

void Node::only(std::initializer_list<std::string_view> keys) const {
  for (const auto& [key, member] : members()) {
    if (std::find(keys.begin(), keys.end(), key) == keys.end()) {
      member.fail(fmt::format("unknown key; expected: {}", fmt::join(keys, ", ")));
    }
  }
}

bool Node::has(std::string_view key) const {
  if (!value_->is_object()) fail("must be an object");
  return value_->contains(key);
}

Node Node::at(std::string_view key) const {
  if (!has(key)) fail(fmt::format("\"{}\" is missing", key));
  return {*file_, value_->find(key).value(), pointer_ + pointer_token(key)};
}

std::vector<std::pair<std::string, Node>> Node::members() const {
  if (!value_->is_object()) fail("must be an object");
  std::vector<std::pair<std::string, Node>> members;
  members.reserve(value_->size());
  for (const auto& [key, member] : value_->items()) {
    members.emplace_back(key, Node(*file_, member, pointer_ + pointer_token(key)));
  }
  return members;
}

std::vector<Node> Node::elements() const {
  if (!value_->is_array()) fail("must be an array");
  std::vector<Node> elements;
  elements.reserve(value_->size());
  for (const auto& element : *value_) {
    elements.emplace_back(*file_, element, pointer_ + '/' + std::to_string(elements.size()));
  }
  return elements;
}

std::vector<std::string> Node::texts() const {
  std::vector<std::string> texts;
  for (const Node& element : elements()) texts.push_back(element.text());
  if (texts.empty()) fail("must not be empty");
  return texts;
}

std::string Node::text() const {
  if (!value_->is_string() || value_->get_ref<const std::string&>().empty())
    fail("must be a text, not empty");
  return value_->get<std::string>();
}

std::string Node::text_or_empty(std::string_view key) const {
  return has(key) ? at(key).text() : "";
}

std::string Node::day() const {
  constexpr std::size_t kDayLength = 10;
  auto day = text();
  if (day.size() != kDayLength || !parse_rfc3339(day)) fail("must be a day such as \"2026-09-04\"");
  return day;
}

std::int64_t Node::whole() const {
  if (!value_->is_number_unsigned() ||
      value_->get<std::uint64_t>() > static_cast<std::uint64_t>(kLargestAmount)) {
    fail("must be a whole number from 0 to 10^15");
  }
  return value_->get<std::int64_t>();
}

std::int64_t Node::scaled(int decimals) const {
  const double value = value_->is_number() ? value_->get<double>() : -1;
  const double scaled = value * std::pow(10.0, decimals);
  // A double carries 15 digits: what is left of a written decimal after rounding is noise far below this.
  constexpr double kNoise = 1e-3;
  if (!(value >= 0 && value <= kLargestScaled) ||
      std::abs(scaled - std::round(scaled)) > kNoise * std::max(1.0, value)) {
    fail(fmt::format("must be a number from 0 to 10^6 with at most {} decimals", decimals));
  }
  return std::llround(scaled);
}

}  // namespace weir::catalog
