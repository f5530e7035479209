// The newest events, as the bytes that leave, with ids by which a client that was cut off goes on. A value;
// bounded by number and bytes: the oldest go first.
//
// An id is "<run>-<number>": numbers ascend by one, and `run` tells one start of the daemon from another.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "api/omissions.hpp"

namespace weir::api {

std::string_view to_string(EventType type);
// Those that a client can choose; nullopt for another word.
std::optional<EventType> parse_event_type(std::string_view word);

struct Event {
  EventType type = EventType::reset;
  Subject subject;
  std::string
      text;  // "id: …\nevent: …\ndata: …\n\n"; if omitted, until "data: ": the rest differs by listener
  Omissions omissions;  // if omitted

  [[nodiscard]] std::size_t bytes() const { return text.size() + omissions.bytes(); }
};

class EventRing {
 public:
  struct Bounds {
    std::size_t events = 4096;
    std::size_t bytes = 1 << 20;
  };
  EventRing(std::uint64_t run, Bounds bounds);

  // `data`: one line.
  void add(EventType type, Subject subject, std::string_view data);
  void add(Omissions omissions);
  // Forgets all, and that more may have happened: who goes on from before has missed something.
  void clear();

  [[nodiscard]] std::uint64_t begin() const { return next_ - events_.size(); }
  [[nodiscard]] std::uint64_t end() const { return next_; }
  [[nodiscard]] const Event& operator[](std::uint64_t number) const { return events_[number - begin()]; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  // The number of the first event after the one with that id; nullopt if some after it are gone, or it is of
  // another run, or none of ours.
  [[nodiscard]] std::optional<std::uint64_t> after(std::string_view id) const;
  // "id: …\n" of the newest event: from there on a client that has not seen any goes on.
  void append_id_line(std::string& out, std::uint64_t number) const;

 private:
  [[nodiscard]] std::string begin_text(EventType type, std::size_t data_bytes);
  void add(Event event);

  std::string run_;
  Bounds bounds_;
  std::deque<Event> events_;
  std::uint64_t next_ = 1;
  std::size_t bytes_ = 0;
};

}  // namespace weir::api
