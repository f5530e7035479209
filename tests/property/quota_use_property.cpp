// The use invariant: a caller that always wants more gets at least W/(W + guard + one bucket) of a limit.
#include <algorithm>
#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

#include <doctest/doctest.h>

#include "quota/book.hpp"

#include "quota_random.hpp"

namespace weir::property {
namespace {

using quota::LimitId;
using quota::LimitSpec;
using quota::WindowKind;
using namespace std::chrono_literals;

struct Load {
  Metric metric = Metric::requests;
  Micros length = 60s;
  std::int64_t amount = 50;
  Micros guard = 250ms;
  Micros pause{0};            // between two calls of the caller
  Micros latency{0};          // until the settlement
  bool says_sent_at = true;   // each call is sent as it is admitted
  std::int64_t smallest = 1;  // tokens of a call
  std::int64_t biggest = 1;
  std::size_t waiting = 1;  // calls to choose from: the first that fits goes
  int windows = 300;

  [[nodiscard]] Micros bucket() const { return (length + 255us) / 256; }
  [[nodiscard]] double bound() const {
    const Micros late = says_sent_at ? guard : latency;
    return seconds(length) / seconds(length + late + bucket() + pause);
  }
};

class Saturation {
 public:
  Saturation(const Load& load, std::uint64_t seed) : load_(load), random_(seed) {
    LimitSpec spec;
    spec.metric = load.metric;
    spec.window = {WindowKind::sliding, load.length};
    spec.amount = load.amount;
    limit_ = book_.add(spec, load.guard);
  }

  // What was admitted, as a part of what the limit allows in the same time.
  double share() {
    const SteadyTime start(1'000'000h);
    const SteadyTime end = start + load_.length * load_.windows;
    now_ = start;
    while (now_ < end) {
      while (!open_.empty() && open_.top().settles <= now_) {
        settle(open_.top());
        open_.pop();
      }
      if (admit_one()) {
        now_ += load_.pause;
        continue;
      }
      SteadyTime next = retry_at_;
      if (!open_.empty()) next = std::min(next, open_.top().settles);
      if (random_.percent(2)) probe_before(retry_at_);
      now_ = std::max(now_ + 1us, next);
    }
    return static_cast<double>(admitted_) / (static_cast<double>(load_.amount) * load_.windows);
  }

 private:
  struct Call {
    SteadyTime settles;
    SteadyTime admitted;
    Amounts amounts;
    bool operator>(const Call& other) const { return settles > other.settles; }
  };

  [[nodiscard]] Now at(SteadyTime steady) const { return {steady, WallTime(steady.time_since_epoch())}; }

  bool admit_one() {
    while (line_.size() < load_.waiting) {
      Amounts want;
      want.input_tokens = random_.between(load_.smallest, load_.biggest);
      line_.push_back(want);
    }
    retry_at_ = SteadyTime::max();
    for (std::size_t i = 0; i < line_.size(); ++i) {
      const Amounts want = line_[i];
      if (!book_.try_admit(std::vector{limit_}, want, at(now_), violations_)) {
        retry_at_ = std::min(retry_at_, violations_.at(0).retry_at);
        continue;
      }
      line_.erase(line_.begin() + static_cast<std::ptrdiff_t>(i));
      admitted_ += want.of(load_.metric);
      const Call call{now_ + load_.latency, now_, want};
      if (load_.latency == 0us) {
        settle(call);
      } else {
        open_.push(call);
      }
      return true;
    }
    return false;
  }

  void settle(const Call& call) {
    const SteadyTime latest = load_.says_sent_at ? call.admitted + load_.guard : call.settles;
    book_.settle(std::vector{limit_}, call.amounts, call.amounts, {call.admitted, latest, 0us}, at(now_));
  }

  // If nothing else happens, no attempt gets through earlier.
  void probe_before(SteadyTime retry_at) {
    const SteadyTime early = now_ + Micros(random_.often_an_end(0, (retry_at - now_).count() - 1));
    quota::Book copy = book_;
    for (const Amounts& want : line_) {
      REQUIRE_FALSE(copy.try_admit(std::vector{limit_}, want, at(early), violations_));
    }
  }

  Load load_;
  Random random_;
  quota::Book book_;
  LimitId limit_ = 0;
  SteadyTime now_;
  SteadyTime retry_at_;
  std::int64_t admitted_ = 0;
  std::vector<Amounts> line_;
  std::priority_queue<Call, std::vector<Call>, std::greater<>> open_;
  std::vector<quota::Violation> violations_;
};

double share(const Load& load) {
  return Saturation(load, first_seed()).share();
}

TEST_CASE("a saturating caller gets all of a request limit but the guard and a bucket") {
  for (const Micros length : {Micros(1s), Micros(60s), Micros(600s), Micros(1h), Micros(1'000'003)}) {
    for (const std::int64_t amount : {1, 5, 50, 1000}) {
      for (const Micros guard : {0us, Micros(50ms), Micros(250ms), Micros(2s)}) {
        for (const Micros latency : {0us, Micros(100ms), length / 4}) {
          for (const bool says_sent_at : {true, false}) {
            Load load{.length = length, .amount = amount, .guard = guard, .latency = latency};
            load.says_sent_at = says_sent_at;
            load.windows = amount == 1000 ? 20 : 100;
            CAPTURE(length.count());
            CAPTURE(amount);
            CAPTURE(guard.count());
            CAPTURE(latency.count());
            CAPTURE(says_sent_at);
            REQUIRE(share(load) >= load.bound());
          }
        }
      }
    }
  }
}

TEST_CASE("a caller that paces itself gets as much") {
  for (const std::int64_t amount : {5, 50, 1000}) {
    for (const int percent : {10, 50, 90}) {
      Load load{.amount = amount};
      load.pause = load.length * percent / 100 / amount;
      CAPTURE(amount);
      CAPTURE(percent);
      CHECK(share(load) >= load.bound());
    }
  }
}

TEST_CASE("50 requests a minute with a guard of 0.25 s are used to 98 percent and more") {
  const double all = share({.windows = 1000});
  MESSAGE("at once: ", all, ", with a latency of 2 s: ", share({.latency = 2s, .windows = 1000}));
  CHECK(all >= 0.99);
  CHECK(share({.latency = 2s, .windows = 1000}) >= 0.99);
  CHECK(share({.pause = 100ms, .windows = 1000}) >= 0.98);
}

TEST_CASE("tokens in equal parts are used like requests") {
  const Load load{.metric = Metric::input_tokens, .amount = 250'000, .smallest = 50'000, .biggest = 50'000};
  CHECK(share(load) >= load.bound());
}

TEST_CASE("lumpy calls in strict order leave on average what the next one is short of") {
  // At any moment the head of the line does not fit, so less than its size is unused: a fifth at the very
  // worst.
  Load load{.metric = Metric::input_tokens, .amount = 250'000, .biggest = 50'000, .windows = 2000};
  const double in_order = share(load);
  CHECK(in_order >= 0.8 * load.bound());
  load.waiting = 4;
  const double of_four = share(load);
  load.waiting = 16;
  const double of_sixteen = share(load);
  MESSAGE("costs up to a fifth: in order ", in_order, ", first that fits of 4 ", of_four, ", of 16 ",
          of_sixteen);
  CHECK(in_order >= 0.90);
  CHECK(of_four >= 0.95);
  CHECK(of_sixteen >= 0.97);
  const Load fine{.metric = Metric::input_tokens, .amount = 250'000, .biggest = 5'000, .windows = 200};
  MESSAGE("costs up to a fiftieth: in order ", share(fine));
  CHECK(share(fine) >= 0.95);
}

}  // namespace
}  // namespace weir::property
