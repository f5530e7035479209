#include "quota_traffic.hpp"

#include <algorithm>
#include <queue>
#include <vector>

#include "quota/book.hpp"
#include "time/zone.hpp"

#include "quota_random.hpp"
#include "quota_upstream.hpp"

namespace weir::property {
namespace {

using quota::LimitId;
using quota::LimitSpec;
using quota::WindowKind;

constexpr std::int64_t kSecond = 1'000'000;
// 2037: Debian's date library knows no daylight saving after it, libc does.
constexpr std::int64_t kLastDay = 2'114'380'800 * kSecond;

struct Call {
  std::size_t model = 0;
  Amounts estimate, actual;
  std::int64_t admitted = 0;
  std::int64_t lease_end = 0;
  std::int64_t sent = 0;
  std::int64_t settled = 0;
  bool says_sent_at = false;
  bool gave_up = false;
  Micros skew{0};
};

enum class Habit { light, bursty, saturating };
struct Caller {
  Habit habit = Habit::light;
  std::size_t model = 0;
  std::int64_t burst_left = 0;
};

enum class Step { ask, settle, expire, correct, release };
struct Event {
  std::int64_t at;
  std::uint64_t order;
  Step step;
  std::size_t index;
  bool operator>(const Event& other) const { return at != other.at ? at > other.at : order > other.order; }
};

// What the provider enforces, and which calls it counted under it.
struct Provider {
  LimitSpec limit;
  std::vector<std::size_t> models;
  std::vector<Counted> counted;
  std::vector<Open> open;

  [[nodiscard]] Excess excess() const {
    const std::int64_t length = limit.window.length.count();
    switch (limit.window.kind) {
      case WindowKind::sliding:
        if (auto e = fixed_windows(counted, length, limit.amount, 13)) return e;
        if (auto e = rolling_window(counted, length, limit.amount)) return e;
        return token_bucket(counted, length, limit.amount);
      case WindowKind::day:
        return calendar(counted, Calendar::day, limit.time_zone, limit.amount);
      case WindowKind::week:
        return calendar(counted, Calendar::week, limit.time_zone, limit.amount);
      case WindowKind::month:
        return calendar(counted, Calendar::month, limit.time_zone, limit.amount);
      case WindowKind::in_flight:
        return in_flight(open, limit.amount);
    }
    return std::nullopt;
  }
};

class Traffic {
 public:
  Traffic(std::uint64_t seed, Fault fault) : random_(seed), fault_(fault) {
    window_ = random_.pick<std::int64_t>({kSecond, 7 * kSecond, 60 * kSecond, 60 * kSecond, 60 * kSecond,
                                          600 * kSecond, 3600 * kSecond, 1'000'003, 59'999'999});
    guard_ = random_.pick<std::int64_t>({0, 50'000, 250'000, 250'000, 2 * kSecond});
    lease_ = random_.pick<std::int64_t>({kSecond, window_ / 3 + 1, window_ + 1, 3 * window_});
    clock_error_ = random_.often_an_end(-guard_, guard_);
    steps_wall_clock_ = random_.percent(15);
    zone_ = random_.pick<std::string>({"America/Los_Angeles", "America/Los_Angeles", "UTC", "Asia/Kolkata",
                                       "Africa/Cairo", "America/Havana", "Australia/Lord_Howe"});
    set_clocks();
    add_limits();
    for (std::int64_t left = random_.between(1, 6); left > 0; --left) {
      callers_.push_back(
          {random_.pick<Habit>({Habit::light, Habit::bursty, Habit::saturating, Habit::saturating}),
           random_model(), 0});
      plan(now_, Step::ask, callers_.size() - 1);
    }
  }

  Outcome run(std::int64_t asks) {
    while (outcome_.asked < asks && now_ < kLastDay) {
      const Event event = events_.top();
      events_.pop();
      now_ = event.at;
      if (event.step == Step::ask) ++outcome_.asked;
      switch (event.step) {
        case Step::ask:
          ask(event.index);
          break;
        case Step::settle:
          settle(calls_[event.index]);
          break;
        case Step::expire:
          expire(calls_[event.index]);
          break;
        case Step::correct:
          correct(calls_[event.index]);
          break;
        case Step::release:
          release(calls_[event.index]);
          break;
      }
    }
    for (const Provider& provider : providers_) {
      const Excess excess = provider.excess();
      if (excess && !outcome_.excess) {
        outcome_.excess = provider.limit.name + ", guard " + std::to_string(guard_) + ": " + *excess;
      }
    }
    return outcome_;
  }

 private:
  // Half of the worlds begin shortly before a midnight, many of those on a day on which the clocks change.
  void set_clocks() {
    const std::int64_t day = 86'400 * kSecond;
    std::int64_t wall =
        random_.pick<std::int64_t>({1'772'928'000, 1'793'516'400, 1'776'981'600, 1'792'706'400,
                                    random_.between(1'767'225'600, 1'893'456'000)}) *
        kSecond;
    if (random_.percent(50)) {
      const Zone zone = *Zone::find(zone_);
      const WallTime midnight = zone.interval(CalendarUnit::day, WallTime(Micros(wall))).end;
      wall = midnight.time_since_epoch().count() -
             random_.between(0, random_.pick<std::int64_t>({4 * guard_ + 1, 2 * window_, lease_}));
    } else {
      wall += random_.between(0, day);
    }
    skew_ = random_.pick<std::int64_t>({0, 0, random_.between(-5 * kSecond, 5 * kSecond)});
    now_ = wall - skew_;
  }

  [[nodiscard]] Now now() const {
    return {SteadyTime(Micros(now_)), WallTime(Micros(now_ + skew_ + stepped_))};
  }
  std::size_t random_model() {
    return static_cast<std::size_t>(random_.between(0, static_cast<std::int64_t>(by_model_.size()) - 1));
  }

  void add_limits() {
    const auto models = static_cast<std::size_t>(random_.between(1, 3));
    by_model_.resize(models);
    std::vector<std::size_t> all;
    for (std::size_t m = 0; m < models; ++m) {
      all.push_back(m);
      add_limit({m}, Metric::requests, {WindowKind::sliding, Micros(window_)}, random_.between(1, 60));
      tokens_ = random_.pick<std::int64_t>({1000, 32'000, 250'000});
      if (random_.percent(60)) {
        add_limit({m}, random_.percent(70) ? Metric::input_tokens : Metric::total_tokens,
                  {WindowKind::sliding, Micros(window_)}, tokens_);
      }
      if (random_.percent(50)) add_calendar({m});
      if (random_.percent(25))
        add_limit({m}, Metric::in_flight, {WindowKind::in_flight, {}}, random_.between(1, 8));
    }
    if (random_.percent(50)) {
      add_limit(all, Metric::requests, {WindowKind::sliding, Micros(window_ * 2 + 1)},
                random_.between(1, 90));
    }
    if (random_.percent(30)) add_calendar(all);
  }

  void add_calendar(const std::vector<std::size_t>& models) {
    if (steps_wall_clock_) return;  // the provider's days and ours then differ by more than the guard
    const WindowKind kind = random_.pick<WindowKind>(
        {WindowKind::day, WindowKind::day, WindowKind::day, WindowKind::week, WindowKind::month});
    const auto most = random_.pick<std::int64_t>({5, 30, 120});
    add_limit(models, Metric::requests, {kind, {}}, random_.between(1, most));
  }

  void add_limit(const std::vector<std::size_t>& models, Metric metric, quota::Window window,
                 std::int64_t amount) {
    LimitSpec spec;
    for (const std::size_t m : models) spec.models.push_back(std::string("m").append(std::to_string(m)));
    spec.metric = metric;
    spec.window = window;
    spec.amount = amount;
    if (window.kind != WindowKind::sliding && window.kind != WindowKind::in_flight) spec.time_zone = zone_;
    spec.name = quota::limit_name(spec.models, metric, window);
    providers_.push_back({spec, models, {}, {}});
    std::int64_t guard = guard_;
    if (fault_ == Fault::half_window) spec.window.length /= 2;
    if (fault_ == Fault::midnight_without_guard) guard = 0;
    if (fault_ == Fault::days_in_utc && !spec.time_zone.empty()) spec.time_zone = "UTC";
    LimitId id = book_.add(spec, Micros(guard));
    for (const std::size_t m : models) {
      by_model_[m].push_back(id);
      if (fault_ == Fault::pool_apart) id = book_.add(spec, Micros(guard));
    }
  }

  void plan(std::int64_t at, Step step, std::size_t index) { events_.push({at, order_++, step, index}); }

  Amounts random_amounts() {
    Amounts amounts;
    if (random_.percent(5)) amounts.requests = random_.between(2, 4);
    amounts.input_tokens = random_.between(1, tokens_ / random_.pick<std::int64_t>({5, 20, 100}));
    if (random_.percent(50)) amounts.output_tokens = random_.between(0, tokens_ / 50);
    return amounts;
  }

  void ask(std::size_t index) {
    Caller& caller = callers_[index];
    if (steps_wall_clock_ && random_.percent(1)) {
      stepped_ = random_.pick<std::int64_t>(
          {0, 3600 * kSecond, -3600 * kSecond, random_.between(-100, 100) * 86'400 * kSecond});
    }
    if (random_.percent(10)) caller.model = random_model();
    const Amounts want = random_amounts();
    const bool admitted = book_.try_admit(by_model_[caller.model], want, now(), violations_);
    if (admitted) {
      ++outcome_.admitted;
      begin(caller.model, want);
    }
    plan(next_ask(caller, admitted), Step::ask, index);
  }

  // True time of the first local midnight that is not over for every clock.
  std::int64_t midnight() {
    while (midnight_ + 4 * guard_ < now_) {
      const WallTime later(Micros(std::max(now_, midnight_) + skew_));
      midnight_ =
          Zone::find(zone_)->interval(CalendarUnit::day, later).end.time_since_epoch().count() - skew_;
    }
    return midnight_;
  }

  std::int64_t next_ask(Caller& caller, bool admitted) {
    // What goes wrong at midnight does so within a few guards of it: there everybody is in a hurry.
    if (midnight() - 2 * guard_ < now_ && random_.percent(80))
      return now_ + random_.between(1, guard_ / 8 + 1);
    if (caller.habit == Habit::light) return now_ + random_.between(0, window_ / 5);
    if (caller.habit == Habit::bursty) {
      if (--caller.burst_left > 0) return now_ + random_.pick<std::int64_t>({0, 0, random_.between(0, 1000)});
      caller.burst_left = random_.between(1, 80);
      return now_ + random_.between(0, window_);
    }
    if (admitted) return now_ + random_.pick<std::int64_t>({0, 0, random_.between(0, window_ / 50)});
    std::int64_t retry_at = now_;
    for (const quota::Violation& violation : violations_) {
      const auto at =
          violation.never_fits ? now_ + window_ / 10 : violation.retry_at.time_since_epoch().count();
      retry_at = std::max(retry_at, at);
    }
    const std::int64_t early =
        random_.pick<std::int64_t>({0, 0, random_.between(0, 3 * guard_ + 1), retry_at - now_});
    return std::max(now_ + random_.between(0, 1000), retry_at - random_.between(0, early));
  }

  // What becomes of an admitted call is drawn at once: when it is sent, counted and settled.
  void begin(std::size_t model, const Amounts& want) {
    Call call;
    call.model = model;
    call.estimate = call.actual = want;
    call.actual.input_tokens = random_.often_an_end(0, want.input_tokens);
    call.actual.output_tokens = random_.often_an_end(0, want.output_tokens);
    call.admitted = now_;
    call.lease_end = now_ + lease_;
    call.skew = Micros(skew_ + stepped_);
    const std::size_t index = calls_.size();
    if (random_.percent(5)) {  // cancelled before it is sent: never reaches the provider
      plan(now_ + random_.between(0, lease_), Step::release, index);
      calls_.push_back(call);
      return;
    }
    call.sent = now_ + random_.pick<std::int64_t>({0, 0, random_.between(0, 20'000),
                                                   random_.between(0, std::min(lease_, kSecond)),
                                                   random_.often_an_end(0, lease_)});
    call.sent = std::min(call.sent, call.lease_end);
    const std::int64_t counted = call.sent + random_.often_an_end(0, guard_);
    const std::int64_t latency = random_.pick<std::int64_t>(
        {0, random_.between(0, kSecond), random_.between(0, window_ / 4), random_.between(0, lease_)});
    call.says_sent_at = random_.percent(60);
    call.settled = counted + latency;
    if (call.settled < midnight() && midnight_ < call.lease_end && random_.percent(20)) {
      call.settled = midnight_ + random_.between(0, guard_);
    }
    const bool never_settles = random_.percent(8);
    if (random_.percent(5)) {
      call.gave_up = true;
      call.says_sent_at = false;
      call.settled = call.sent + random_.between(0, guard_);
    }
    count(call, counted, never_settles);
    if (!never_settles && call.settled < call.lease_end) {
      plan(call.settled, Step::settle, index);
    } else {
      plan(call.lease_end, Step::expire, index);
      if (!never_settles) plan(std::max(call.settled, call.lease_end + 1), Step::correct, index);
    }
    if (fault_ == Fault::charges_at_settlement) book_.release(by_model_[model], call.estimate);
    calls_.push_back(call);
  }

  void count(const Call& call, std::int64_t at, bool never_settles) {
    ++outcome_.counted;
    const std::int64_t open_until = never_settles ? call.lease_end : std::min(call.settled, call.lease_end);
    for (Provider& provider : providers_) {
      if (std::find(provider.models.begin(), provider.models.end(), call.model) == provider.models.end())
        continue;
      if (provider.limit.metric == Metric::in_flight) {
        provider.open.push_back({at, open_until});
      } else if (const std::int64_t amount = call.actual.of(provider.limit.metric); amount > 0) {
        provider.counted.push_back({at, at + skew_ + clock_error_, amount});
      }
    }
  }

  [[nodiscard]] quota::Span span(const Call& call, std::int64_t latest) const {
    if (fault_ == Fault::ages_from_admission) latest = call.admitted;
    return {SteadyTime(Micros(call.admitted)), SteadyTime(Micros(latest)), call.skew};
  }
  [[nodiscard]] quota::Span span_of_sent(const Call& call) const {
    return span(call, call.sent + (fault_ == Fault::no_guard ? 0 : guard_));
  }
  [[nodiscard]] quota::Span span_of_expired(const Call& call) const {
    return span(call, call.lease_end + (fault_ == Fault::no_guard ? 0 : guard_));
  }

  void close(const Call& call, const Amounts& actual, const quota::Span& span) {
    if (fault_ == Fault::charges_at_settlement) book_.hold(by_model_[call.model], call.estimate);
    book_.settle(by_model_[call.model], call.estimate, actual, span, now());
  }

  void settle(const Call& call) {
    if (call.says_sent_at) return close(call, call.actual, span_of_sent(call));
    // An answer proves that the call had been counted; without one it may still be on its way.
    const bool on_its_way =
        call.gave_up && fault_ != Fault::gave_up_without_guard && fault_ != Fault::no_guard;
    close(call, call.actual, span(call, call.settled + (on_its_way ? guard_ : 0)));
  }

  void expire(const Call& call) {
    if (fault_ == Fault::expiry_forgets) return release(call);
    close(call, call.estimate, span_of_expired(call));
  }

  void correct(const Call& call) {
    if (fault_ == Fault::expiry_forgets) return;
    Amounts back;
    back.requests = 0;
    book_.charge(by_model_[call.model], back - call.estimate, span_of_expired(call), now());
    book_.charge(by_model_[call.model], call.actual,
                 call.says_sent_at ? span_of_sent(call) : span_of_expired(call), now());
  }

  void release(const Call& call) {
    if (fault_ == Fault::charges_at_settlement) return;
    book_.release(by_model_[call.model], call.estimate);
  }

  Random random_;
  Fault fault_;
  std::int64_t window_ = 0, guard_ = 0, lease_ = 0, tokens_ = 0;
  std::int64_t now_ = 0;   // true time: the steady axis
  std::int64_t skew_ = 0;  // wall clock minus steady axis, true
  std::int64_t midnight_ = 0;
  std::int64_t stepped_ = 0;      // by how much our wall clock is wrong
  std::int64_t clock_error_ = 0;  // the provider's wall clock, within the guard
  bool steps_wall_clock_ = false;
  std::string zone_;
  quota::Book book_;
  std::vector<std::vector<LimitId>> by_model_;
  std::vector<Provider> providers_;
  std::vector<Caller> callers_;
  std::vector<Call> calls_;
  std::vector<quota::Violation> violations_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t order_ = 0;
  Outcome outcome_;
};

}  // namespace

Outcome run_traffic(std::uint64_t seed, std::int64_t calls, Fault fault) {
  return Traffic(seed, fault).run(calls);
}

}  // namespace weir::property
