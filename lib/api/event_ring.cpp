#include "api/event_ring.hpp"

#include <array>
#include <charconv>

#include <fmt/format.h>

namespace weir::api {
namespace {

constexpr std::array<std::string_view, kEventTypes> kNames = {"admission",   "settlement", "denial", "limit",
                                                              "observation", "omitted",    "reset"};

}  // namespace

std::string_view to_string(EventType type) {
  return kNames[static_cast<std::size_t>(type)];
}

std::optional<EventType> parse_event_type(std::string_view word) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    const auto type = static_cast<EventType>(i);
    if (kNames[i] == word && type != EventType::omitted && type != EventType::reset) return type;
  }
  return std::nullopt;
}

EventRing::EventRing(std::uint64_t run, Bounds bounds) : run_(fmt::format("{:x}", run)), bounds_(bounds) {}

void EventRing::append_id_line(std::string& out, std::uint64_t number) const {
  out += "id: ";
  out += run_;
  out += '-';
  out += fmt::format_int(number).str();
  out += '\n';
}

void EventRing::add(EventType type, Subject subject, std::string_view data) {
  Event event{
      .type = type, .subject = std::move(subject), .text = begin_text(type, data.size()), .omissions = {}};
  event.text += data;
  event.text += "\n\n";
  add(std::move(event));
}

void EventRing::add(Omissions omissions) {
  add(Event{.type = EventType::omitted,
            .subject = {},
            .text = begin_text(EventType::omitted, 0),
            .omissions = std::move(omissions)});
}

std::string EventRing::begin_text(EventType type, std::size_t data_bytes) {
  std::string text;
  text.reserve(data_bytes + 64);
  append_id_line(text, next_++);
  text += "event: ";
  text += to_string(type);
  text += "\ndata: ";
  return text;
}

void EventRing::add(Event event) {
  bytes_ += event.bytes();
  events_.push_back(std::move(event));
  while (events_.size() > bounds_.events || (bytes_ > bounds_.bytes && events_.size() > 1)) {
    bytes_ -= events_.front().bytes();
    events_.pop_front();
  }
}

void EventRing::clear() {
  events_.clear();
  bytes_ = 0;
  ++next_;  // a hole, that nobody can have seen
}

std::optional<std::uint64_t> EventRing::after(std::string_view id) const {
  const std::size_t dash = id.find('-');
  if (dash == std::string_view::npos || id.substr(0, dash) != run_) return std::nullopt;
  std::uint64_t number = 0;
  const char* const end = id.data() + id.size();
  const auto read = std::from_chars(id.data() + dash + 1, end, number);
  if (read.ec != std::errc() || read.ptr != end) return std::nullopt;
  if (number + 1 < begin() || number >= next_) return std::nullopt;
  return number + 1;
}

}  // namespace weir::api
