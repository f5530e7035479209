#include <limits>
#include <stdexcept>

#include <doctest/doctest.h>

#include "desk.hpp"

namespace weir::quota {
namespace {

TEST_CASE("a limit admits exactly its amount") {
  Desk desk;
  const LimitId minute = desk.sliding(Metric::requests, 60s, 5);
  CHECK(desk.calls_until_denied({minute}) == 5);
  REQUIRE(desk.violations.size() == 1);
  CHECK(desk.violations[0].limit == minute);
  CHECK(desk.violations[0].requested == 1);
  CHECK(desk.violations[0].used == 5);
  CHECK(desk.violations[0].held == 0);
  CHECK_FALSE(desk.violations[0].never_fits);
  CHECK_FALSE(desk.violations[0].exhausted);
}

TEST_CASE("a denied call charges nothing") {
  Desk desk;
  const LimitId wide = desk.sliding(Metric::requests, 60s, 100);
  const LimitId day = desk.calendar(WindowKind::day, 100);
  const LimitId open = desk.in_flight(100);
  const LimitId narrow = desk.sliding(Metric::input_tokens, 60s, 1000);
  REQUIRE(desk.call({wide, day, open, narrow}, tokens(900)));
  for (int i = 0; i < 10; ++i) CHECK_FALSE(desk.hold({wide, day, open, narrow}, tokens(101)));
  CHECK(desk.used(wide) == 1);
  CHECK(desk.used(day) == 1);
  CHECK(desk.used(narrow) == 900);
  for (const LimitId id : {wide, day, open, narrow}) CHECK(desk.held(id) == 0);
  CHECK(desk.hold({wide, day, open, narrow}, tokens(100)));
}

TEST_CASE("a denial names every limit that had no room, and only those") {
  Desk desk;
  const LimitId requests = desk.sliding(Metric::requests, 60s, 1);
  const LimitId roomy = desk.sliding(Metric::requests, 60s, 9);
  const LimitId input = desk.sliding(Metric::input_tokens, 60s, 50);
  REQUIRE(desk.call({requests, roomy, input}, tokens(50)));
  CHECK_FALSE(desk.hold({requests, roomy, input}, tokens(10)));
  REQUIRE(desk.violations.size() == 2);
  CHECK(desk.violations[0].limit == requests);
  CHECK(desk.violations[1].limit == input);
  CHECK(desk.violations[1].requested == 10);
  CHECK(desk.hold({roomy}, tokens(10)));
  CHECK(desk.violations.empty());
}

TEST_CASE("limits that the call does not name are not touched") {
  Desk desk;
  const LimitId mine = desk.sliding(Metric::requests, 60s, 1);
  const LimitId other = desk.sliding(Metric::requests, 60s, 1);
  REQUIRE(desk.call({mine}));
  CHECK(desk.used(other) == 0);
  CHECK(desk.call({other}));
}

TEST_CASE("a pool is one counter for all of its models") {
  Desk desk;
  const LimitId flash = desk.sliding(Metric::requests, 60s, 3);
  const LimitId pro = desk.sliding(Metric::requests, 60s, 3);
  const LimitId pool = desk.calendar(WindowKind::day, 4);
  CHECK(desk.calls_until_denied({flash, pool}) == 3);
  CHECK(desk.calls_until_denied({pro, pool}) == 1);
  CHECK(desk.violations[0].limit == pool);
  CHECK(desk.used(pro) == 1);
}

TEST_CASE("a call that is bigger than the limit never fits") {
  Desk desk;
  const LimitId input = desk.sliding(Metric::input_tokens, 60s, 1000);
  CHECK_FALSE(desk.hold({input}, tokens(1001)));
  CHECK(desk.violations[0].never_fits);
  CHECK(desk.hold({input}, tokens(1000)));
  CHECK_FALSE(desk.hold({input}, tokens(1000)));
  CHECK_FALSE(desk.violations[0].never_fits);
}

TEST_CASE("nothing ever fits a limit of zero") {
  Desk desk;
  const LimitId off = desk.sliding(Metric::requests, 60s, 0);
  const LimitId day = desk.calendar(WindowKind::day, 0);
  CHECK_FALSE(desk.hold({off, day}));
  REQUIRE(desk.violations.size() == 2);
  CHECK(desk.violations[0].never_fits);
  CHECK(desk.violations[1].never_fits);
}

TEST_CASE("a shadow limit counts but never denies") {
  Desk desk;
  const LimitId shadow = desk.sliding(Metric::requests, 60s, 2, /*enforce=*/false);
  const LimitId real = desk.sliding(Metric::requests, 60s, 5);
  CHECK(desk.calls_until_denied({shadow, real}) == 5);
  CHECK(desk.used(shadow) == 5);
  CHECK(desk.book.view(shadow, desk.now).remaining == 0);
  REQUIRE(desk.violations.size() == 1);
  CHECK(desk.violations[0].limit == real);
  desk.book.exhaust(shadow, desk.now.wall + 1h, desk.now);
  desk.pass(61s);
  CHECK(desk.call({shadow, real}));
}

TEST_CASE("a call that takes nothing of a metric is not concerned by its limit") {
  Desk desk;
  const LimitId images = desk.sliding(Metric::images, 60s, 1);
  Amounts picture;
  picture.images = 1;
  REQUIRE(desk.call({images}, picture));
  CHECK_FALSE(desk.hold({images}, picture));
  CHECK(desk.hold({images}));
  desk.book.exhaust(images, desk.now.wall + 1h, desk.now);
  CHECK(desk.hold({images}));
}

TEST_CASE("a call without an estimate of its tokens finds no room where none is left") {
  Desk desk;
  const LimitId input = desk.sliding(Metric::input_tokens, 60s, 100);
  CHECK(desk.call({input}, tokens(0)));
  CHECK(desk.call({input}, tokens(100)));
  CHECK_FALSE(desk.hold({input}, tokens(0)));
  CHECK(desk.violations[0].requested == 1);
}

TEST_CASE("every metric is metered by its own amount") {
  Desk desk;
  const Amounts call{.requests = 2, .input_tokens = 30, .output_tokens = 7, .images = 1, .cost = 500};
  struct {
    Metric metric;
    std::int64_t amount;
  } const cases[] = {{Metric::requests, 2},      {Metric::input_tokens, 30}, {Metric::output_tokens, 7},
                     {Metric::total_tokens, 37}, {Metric::images, 1},        {Metric::cost_usd, 500}};
  for (const auto& c : cases) {
    CAPTURE(to_string(c.metric));
    const LimitId exact = desk.sliding(c.metric, 60s, c.amount);
    const LimitId short_of_one = desk.sliding(c.metric, 60s, c.amount * 2 - 1);
    CHECK(desk.call({exact, short_of_one}, call));
    CHECK(desk.used(exact) == c.amount);
    CHECK_FALSE(desk.hold({short_of_one}, call));
    CHECK(desk.violations[0].requested == c.amount);
  }
}

TEST_CASE("a spend limit counts dollars over ten rolling minutes") {
  Desk desk;
  const LimitId spend = desk.sliding(Metric::cost_usd, 10min, 10'000'000'000);
  Amounts dear;
  dear.cost = 4'000'000'000;
  CHECK(desk.call({spend}, dear));
  desk.pass(5min);
  CHECK(desk.call({spend}, dear));
  CHECK_FALSE(desk.hold({spend}, dear));
  desk.go_to(desk.violations[0].retry_at);
  CHECK(desk.call({spend}, dear));
  CHECK(desk.used(spend) == 8'000'000'000);
}

TEST_CASE("an in-flight limit counts open calls, and forgets them when they close") {
  Desk desk;
  const LimitId open = desk.in_flight(2);
  REQUIRE(desk.hold({open}));
  REQUIRE(desk.hold({open}));
  CHECK_FALSE(desk.hold({open}));
  CHECK(desk.violations[0].held == 2);
  CHECK(desk.violations[0].used == 0);
  CHECK(desk.violations[0].retry_at > desk.now.steady);
  desk.settle({open}, {}, {}, desk.at_once());
  CHECK(desk.hold({open}));
  CHECK_FALSE(desk.hold({open}));
  desk.book.release(std::vector<LimitId>{open}, {});
  CHECK(desk.hold({open}));
}

TEST_CASE("an in-flight limit counts a batch of requests as one call") {
  Desk desk;
  const LimitId open = desk.in_flight(1);
  Amounts batch;
  batch.requests = 100;
  CHECK(desk.hold({open}, batch));
  CHECK(desk.held(open) == 1);
}

TEST_CASE("held calls restored after a crash count without being asked") {
  Desk desk;
  const LimitId minute = desk.sliding(Metric::requests, 60s, 3);
  for (int i = 0; i < 4; ++i) desk.book.hold(std::vector<LimitId>{minute}, {});
  CHECK(desk.held(minute) == 4);
  CHECK_FALSE(desk.hold({minute}));
  CHECK(desk.book.view(minute, desk.now).remaining == 0);
}

TEST_CASE("amounts of thousands of millions do not overflow") {
  Desk desk;
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max() / 4;
  const LimitId input = desk.sliding(Metric::input_tokens, 60s, huge);
  CHECK(desk.call({input}, tokens(huge)));
  CHECK_FALSE(desk.hold({input}, tokens(huge)));
}

TEST_CASE("a book refuses a calendar limit in a zone that does not exist") {
  Desk desk;
  CHECK_THROWS_AS(desk.calendar(WindowKind::day, 5, "Mars/Olympus"), std::invalid_argument);
  CHECK(desk.book.size() == 0);
}

TEST_CASE("a book keeps the limits as they were given") {
  Desk desk;
  const LimitId id = desk.calendar(WindowKind::week, 7, "Europe/Berlin");
  CHECK(desk.book.size() == 1);
  CHECK(desk.book.spec(id).name == "m/requests/week");
  CHECK(desk.book.spec(id).time_zone == "Europe/Berlin");
  CHECK(desk.book.guard(id) == kGuard);
}

TEST_CASE("a copied book goes its own way") {
  Desk desk;
  const LimitId minute = desk.sliding(Metric::requests, 60s, 2);
  REQUIRE(desk.call({minute}));
  Desk other = desk;
  CHECK(other.calls_until_denied({minute}) == 1);
  CHECK(desk.used(minute) == 1);
}

}  // namespace
}  // namespace weir::quota
