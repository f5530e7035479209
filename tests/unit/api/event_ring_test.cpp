#include "api/event_ring.hpp"

#include <doctest/doctest.h>

namespace weir::api {
namespace {

EventRing ring_of(int events, EventRing::Bounds bounds = {}) {
  EventRing ring(0xabc, bounds);
  for (int i = 0; i < events; ++i) ring.add(EventType::limit, {"p", "c"}, "{}");
  return ring;
}

}  // namespace

TEST_CASE("an event is the bytes that leave, with an id that ascends by one") {
  EventRing ring(0xabc, {});
  ring.add(EventType::admission, {"p", "c"}, R"({"a":1})");
  ring.add(EventType::denial, {"q", ""}, "{}");
  CHECK(ring[1].text == "id: abc-1\nevent: admission\ndata: {\"a\":1}\n\n");
  CHECK(ring[2].text == "id: abc-2\nevent: denial\ndata: {}\n\n");
  CHECK(ring[2].subject.project == "q");
  CHECK(ring.begin() == 1);
  CHECK(ring.end() == 3);
}

TEST_CASE("who has seen an event goes on behind it") {
  const EventRing ring = ring_of(3);
  CHECK(ring.after("abc-1") == 2);
  CHECK(ring.after("abc-3") == 4);  // nothing missed, nothing to send
  CHECK(ring.after("abc-0") == 1);  // the id that a client gets when nothing has happened yet
}

TEST_CASE("an id of another run, of the future, or none at all leads nowhere") {
  const EventRing ring = ring_of(3);
  for (const char* id :
       {"abd-1", "abc-4", "abc-99", "abc-", "abc-1x", "abc--1", "1", "", "-", "abc-18446744073709551616"}) {
    CAPTURE(id);
    CHECK_FALSE(ring.after(id));
  }
}

TEST_CASE("the oldest events go when there are too many, or too many bytes") {
  const EventRing few = ring_of(10, {.events = 4});
  CHECK(few.begin() == 7);
  CHECK(few.end() == 11);
  CHECK(few.after("abc-6") == 7);
  CHECK_FALSE(few.after("abc-5"));

  EventRing light(0xabc, {.events = 1000, .bytes = 1000});
  const std::string data(200, 'x');
  for (int i = 0; i < 100; ++i) light.add(EventType::limit, {"p", "c"}, data);
  CHECK(light.bytes() <= 1000);
  CHECK(light.end() - light.begin() == 4);
}

TEST_CASE("one event larger than the ring still gets through") {
  EventRing ring(0xabc, {.events = 1000, .bytes = 100});
  ring.add(EventType::limit, {"p", "c"}, std::string(500, 'x'));
  CHECK(ring.end() - ring.begin() == 1);
}

TEST_CASE("who was there before the ring was emptied has missed something") {
  EventRing ring = ring_of(3);
  ring.clear();
  CHECK_FALSE(ring.after("abc-3"));
  CHECK(ring.bytes() == 0);
  ring.add(EventType::limit, {"p", "c"}, "{}");
  CHECK_FALSE(ring.after("abc-3"));
  CHECK(ring.after("abc-4") == 5);
  CHECK(ring[5].text.starts_with("id: abc-5\n"));
}

TEST_CASE("clients choose among the kinds of what happens, not of what the stream says of itself") {
  CHECK(parse_event_type("limit") == EventType::limit);
  CHECK(parse_event_type("observation") == EventType::observation);
  for (const char* word : {"reset", "omitted", "", "limits", "Limit"}) {
    CAPTURE(word);
    CHECK_FALSE(parse_event_type(word));
  }
}

namespace {
std::string consumers_part(const Omissions& omissions, std::string_view consumer) {
  const auto counts =
      omissions.count([consumer](const Subject& subject) { return subject.consumer == consumer; });
  return std::to_string(counts[0]) + "," + std::to_string(counts[1]) + "," + std::to_string(counts[2]);
}
}  // namespace

TEST_CASE("what was omitted is counted for each listener by what concerns it") {
  Omissions omissions;
  CHECK(omissions.empty());
  CHECK(omissions.add(EventType::admission, "p", "chat"));
  CHECK(omissions.add(EventType::denial, "p", "batch"));
  CHECK(omissions.add(EventType::denial, "q", "batch"));
  CHECK(consumers_part(omissions, "chat") == "1,0,0");
  CHECK(consumers_part(omissions, "batch") == "0,0,2");
  CHECK(consumers_part(omissions, "nobody") == "0,0,0");
}

TEST_CASE("past so many subjects a new one is not counted, and that is said; those that are known are") {
  Omissions omissions;
  for (std::size_t i = 0; i < Omissions::kMaxSubjects; ++i)
    CHECK(omissions.add(EventType::denial, "p", std::to_string(i)));
  CHECK_FALSE(omissions.add(EventType::denial, "p", "one more"));
  CHECK(omissions.add(EventType::denial, "p", "7"));
  CHECK(consumers_part(omissions, "7") == "0,0,2");
  CHECK(consumers_part(omissions, "one more") == "0,0,0");
}

TEST_CASE("the ring counts the bytes of omissions among its own") {
  EventRing ring(0xabc, {.events = 1000, .bytes = 10'000});
  for (int i = 0; i < 100; ++i) {
    Omissions omissions;
    for (int who = 0; who < 20; ++who) omissions.add(EventType::denial, "p", std::to_string(who));
    ring.add(std::move(omissions));
    CHECK(ring.bytes() <= 10'000);
  }
  CHECK(ring[ring.end() - 1].text == "id: abc-100\nevent: omitted\ndata: ");
}

}  // namespace weir::api
