// The book against a model that is too slow to use: a list of single charges, summed up anew at each
// decision.
//
// The book may round up by a bucket (1/256 of the window), never down: it denies whenever exact sums do, and
// only when sums of charges that live one bucket longer do too. With charges rounded as documented the two
// agree in every figure.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "quota/book.hpp"

#include "quota_random.hpp"
#include "quota_upstream.hpp"

namespace weir::property {
namespace {

using quota::LimitId;
using quota::LimitSpec;
using quota::WindowKind;

constexpr std::int64_t kSecond = 1'000'000;

// How long a charge lives in a sliding window.
enum class Life { exact, rounded_up, a_bucket_longer };

struct Charge {
  Amounts amounts;
  std::int64_t admitted = 0;
  std::int64_t latest = 0;
};

Calendar unit_of(WindowKind kind) {
  return kind == WindowKind::week    ? Calendar::week
         : kind == WindowKind::month ? Calendar::month
                                     : Calendar::day;
}

// One limit, with all charges and open calls that there ever were.
struct Model {
  LimitSpec spec;
  std::int64_t guard = 0;
  std::int64_t exhausted_until = 0;
  struct Dated {
    Charge charge;
    std::int64_t first = 0, last = 0;  // days, weeks or months
  };
  std::vector<Dated> charges;

  void add(const Charge& charge) {
    Dated dated{charge, 0, 0};
    if (is_calendar()) {
      dated.first = number(charge.admitted - guard);
      dated.last = number(std::max(charge.admitted, charge.latest) + guard);
    }
    charges.push_back(dated);
  }
  [[nodiscard]] bool is_calendar() const {
    return spec.window.kind != WindowKind::sliding && spec.window.kind != WindowKind::in_flight;
  }
  [[nodiscard]] std::int64_t number(std::int64_t wall) const {
    return number_of(unit_of(spec.window.kind), spec.time_zone, wall);
  }

  [[nodiscard]] std::int64_t used(std::int64_t now, Life life) const {
    if (is_calendar()) return std::max(used_in(number(now - guard)), used_in(number(now)));
    if (spec.window.kind == WindowKind::in_flight) return 0;
    const std::int64_t length = spec.window.length.count();
    const std::int64_t bucket = (length + 255) / 256;
    std::int64_t sum = 0;
    for (const Dated& dated : charges) {
      std::int64_t latest = dated.charge.latest;
      if (life == Life::a_bucket_longer) latest += bucket;
      if (life == Life::rounded_up) latest = (latest + bucket - 1) / bucket * bucket;
      if (latest + length > now) sum += dated.charge.amounts.of(spec.metric);
    }
    return sum;
  }
  [[nodiscard]] std::int64_t used_in(std::int64_t period) const {
    std::int64_t sum = 0;
    for (const Dated& dated : charges) {
      if (dated.first <= period && period <= dated.last) sum += dated.charge.amounts.of(spec.metric);
    }
    return sum;
  }
  [[nodiscard]] bool denies(std::int64_t wanted, std::int64_t held, std::int64_t now, Life life) const {
    return now < exhausted_until || used(now, life) + held + wanted > spec.amount;
  }
};

class Comparison {
 public:
  explicit Comparison(std::uint64_t seed) : random_(seed) {
    length_ = random_.pick<std::int64_t>({kSecond, 60 * kSecond, 60 * kSecond, 3600 * kSecond, 1'000'003});
    guard_ = random_.pick<std::int64_t>({0, 250'000, 250'000, 2 * kSecond});
    now_ = random_.between(1'767'225'600, 1'893'456'000) * kSecond;
    zone_ = random_.pick<std::string>(
        {"America/Los_Angeles", "America/Los_Angeles", "UTC", "Africa/Cairo", "Asia/Kolkata"});
    if (random_.percent(50)) go_near_midnight();
    const bool days_bind = random_.percent(50);
    add(Metric::requests, WindowKind::sliding, days_bind ? 1000 : random_.between(1, 20), "");
    add(Metric::input_tokens, WindowKind::sliding, days_bind ? 1'000'000 : 1000, "");
    const auto kind =
        random_.pick<WindowKind>({WindowKind::day, WindowKind::day, WindowKind::week, WindowKind::month});
    add(Metric::requests, kind, random_.between(1, 60), zone_);
    if (random_.percent(30)) add(Metric::in_flight, WindowKind::in_flight, random_.between(1, 10), "");
    if (random_.percent(30)) add(Metric::total_tokens, kind, 10'000, zone_);
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      pass_time();
      const std::int64_t what = random_.between(0, 99);
      if (what < 60) {
        ask();
      } else if (what < 85) {
        settle();
      } else if (what < 89) {
        release();
      } else if (what < 98) {
        correct();
      } else {
        exhaust_or_reopen();
      }
    }
  }

  std::int64_t asked = 0, denied = 0;

 private:
  [[nodiscard]] std::int64_t next_midnight() const {
    return Zone::find(zone_)
        ->interval(CalendarUnit::day, WallTime(Micros(now_)))
        .end.time_since_epoch()
        .count();
  }
  void go_near_midnight() {
    midnight_ = next_midnight();
    now_ = std::max(now_, midnight_ - random_.between(0, 8 * guard_ + kSecond));
  }

  void pass_time() {
    if (std::abs(now_ - midnight_) < 4 * guard_) {
      now_ += random_.between(0, guard_ / 4);
      return;
    }
    now_ += random_.pick<std::int64_t>({0, 1, random_.between(0, 1000), random_.between(0, length_ / 20),
                                        random_.between(0, length_ / 20), random_.between(0, length_)});
    if (random_.percent(2)) go_near_midnight();
    if (random_.percent(1)) now_ += random_.between(0, 172'800) * kSecond;
  }

  void add(Metric metric, WindowKind kind, std::int64_t amount, const std::string& zone) {
    LimitSpec spec;
    spec.metric = metric;
    spec.window = {kind, Micros(kind == WindowKind::sliding ? length_ : 0)};
    spec.amount = amount;
    spec.time_zone = zone;
    spec.name = quota::limit_name({"m"}, metric, spec.window);
    limits_.push_back(book_.add(spec, Micros(guard_)));
    models_.push_back({spec, guard_, 0, {}});
  }

  [[nodiscard]] Now now() const { return {SteadyTime(Micros(now_)), WallTime(Micros(now_))}; }
  [[nodiscard]] static quota::Span span(const Charge& charge) {
    return {SteadyTime(Micros(charge.admitted)), SteadyTime(Micros(charge.latest)), Micros(0)};
  }
  [[nodiscard]] std::int64_t held(Metric metric) const {
    std::int64_t sum = 0;
    for (const Charge& call : open_) sum += call.amounts.of(metric);
    return sum;
  }

  void ask() {
    Amounts want;
    if (random_.percent(10)) want.requests = random_.between(1, 5);
    want.input_tokens = random_.pick<std::int64_t>({1, random_.between(1, 100), random_.between(1, 1001)});
    want.output_tokens = random_.between(0, 100);
    const bool admitted = book_.try_admit(limits_, want, now(), violations_);
    ++asked;
    bool exact_denies = false;
    for (std::size_t i = 0; i < models_.size(); ++i) {
      const auto found = std::find_if(violations_.begin(), violations_.end(),
                                      [&](const quota::Violation& v) { return v.limit == limits_[i]; });
      const bool book_denies = found != violations_.end();
      const Model& model = models_[i];
      CAPTURE(model.spec.name);
      CAPTURE(now_);
      const std::int64_t wanted = want.of(model.spec.metric);
      const std::int64_t holds = held(model.spec.metric);
      exact_denies = exact_denies || model.denies(wanted, holds, now_, Life::exact);
      if (model.denies(wanted, holds, now_, Life::exact)) REQUIRE(book_denies);
      if (book_denies) REQUIRE(model.denies(wanted, holds, now_, Life::a_bucket_longer));
      REQUIRE(book_denies == model.denies(wanted, holds, now_, Life::rounded_up));
      if (book_denies) check(*found, model, wanted, holds);
    }
    REQUIRE(admitted == violations_.empty());
    if (exact_denies) REQUIRE_FALSE(admitted);
    if (admitted) {
      open_.push_back({want, now_, 0});
    } else {
      ++denied;
    }
  }

  void check(const quota::Violation& violation, const Model& model, std::int64_t wanted, std::int64_t holds) {
    REQUIRE(violation.used == model.used(now_, Life::rounded_up));
    REQUIRE(violation.held == holds);
    REQUIRE(violation.never_fits == (wanted > model.spec.amount));
    REQUIRE(violation.exhausted == (now_ < model.exhausted_until));
    if (violation.never_fits) return;
    const std::int64_t retry_at = violation.retry_at.time_since_epoch().count();
    CAPTURE(retry_at);
    REQUIRE(retry_at > now_);
    // If nothing else happens nothing gets through before, and with no open calls it does then.
    REQUIRE(model.denies(wanted, holds, retry_at - 1, Life::rounded_up));
    REQUIRE(model.denies(wanted, holds, random_.between(now_, retry_at - 1), Life::rounded_up));
    if (holds == 0) REQUIRE_FALSE(model.denies(wanted, 0, retry_at, Life::rounded_up));
  }

  void charge(const Charge& charge) {
    for (Model& model : models_) model.add(charge);
    closed_.push_back(charge);
  }

  Charge take_open() {
    const auto at = random_.between(0, static_cast<std::int64_t>(open_.size()) - 1);
    const Charge call = open_[static_cast<std::size_t>(at)];
    open_.erase(open_.begin() + at);
    return call;
  }

  void settle() {
    if (open_.empty()) return;
    Charge call = take_open();
    const Amounts estimate = call.amounts;
    call.latest = random_.often_an_end(call.admitted, now_) + guard_;
    call.amounts.input_tokens = random_.between(0, estimate.input_tokens * 3 / 2);
    call.amounts.output_tokens = random_.between(0, estimate.output_tokens * 3 / 2);
    book_.settle(limits_, estimate, call.amounts, span(call), now());
    charge(call);
  }

  void release() {
    if (open_.empty()) return;
    book_.release(limits_, take_open().amounts);
  }

  // One of the last charges gets other amounts and another latest moment.
  void correct() {
    if (closed_.empty()) return;
    const auto last = static_cast<std::int64_t>(closed_.size()) - 1;
    const auto at = random_.between(std::max<std::int64_t>(0, last - 20), last);
    const Charge old = closed_[static_cast<std::size_t>(at)];
    Charge corrected = old;
    corrected.latest = random_.between(old.admitted, old.latest);
    corrected.amounts.input_tokens = random_.between(0, old.amounts.input_tokens);
    Amounts back = Amounts{} - old.amounts;
    back.requests = -old.amounts.requests;
    book_.charge(limits_, back, span(old), now());
    book_.charge(limits_, corrected.amounts, span(corrected), now());
    closed_.erase(closed_.begin() + at);
    for (Model& model : models_) model.charges.erase(model.charges.begin() + at);
    charge(corrected);
  }

  void exhaust_or_reopen() {
    const auto i =
        static_cast<std::size_t>(random_.between(0, static_cast<std::int64_t>(models_.size()) - 1));
    if (random_.percent(30)) {
      book_.reopen(limits_[i]);
      models_[i].exhausted_until = 0;
    } else {
      models_[i].exhausted_until = now_ + random_.between(0, length_);
      book_.exhaust(limits_[i], WallTime(Micros(models_[i].exhausted_until)), now());
    }
  }

  Random random_;
  std::string zone_;
  std::int64_t length_ = 0, guard_ = 0, now_ = 0, midnight_ = 0;
  quota::Book book_;
  std::vector<LimitId> limits_;
  std::vector<Model> models_;
  std::vector<Charge> open_;
  std::vector<Charge> closed_;  // in the order of each model's charges
  std::vector<quota::Violation> violations_;
};

TEST_CASE("the book denies what exact sums deny, and nothing that a bucket more of age would admit") {
  const std::uint64_t first = first_seed();
  std::int64_t asked = 0, denied = 0;
  for (int i = 0; i < scaled(1000); ++i) {
    const std::uint64_t seed = first + static_cast<std::uint64_t>(i);
    INFO("repeat with WEIR_TEST_SEED=", seed);
    Comparison comparison(seed);
    comparison.run(600);
    asked += comparison.asked;
    denied += comparison.denied;
  }
  CHECK(denied > asked / 10);
  CHECK(denied < asked * 9 / 10);
  MESSAGE(asked, " decisions compared, ", denied, " of them denials");
}

}  // namespace
}  // namespace weir::property
