#include "bench/fidelity/world.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <queue>
#include <random>

namespace weir::bench {
namespace {

// std's distributions differ between libraries; these do not.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  std::int64_t from(std::int64_t least, std::int64_t most) {
    return least + static_cast<std::int64_t>(engine_() % static_cast<std::uint64_t>(most - least + 1));
  }
  Micros gap(double per_s) {
    const double unit = static_cast<double>((engine_() >> 11) + 1) / 9'007'199'254'740'993.0;
    return Micros(static_cast<std::int64_t>(-std::log(unit) / per_s * 1e6));
  }

 private:
  std::mt19937_64 engine_;
};

class World {
 public:
  World(const Scenario& scenario, Limiter& limiter)
      : scenario_(scenario),
        limiter_(limiter),
        provider_(scenario.provider),
        random_(scenario.provider.seed),
        taken_(scenario.callers.size(), 0) {
    limits_.push_back(provider_.add(scenario.provider_limit));
    limiter_.start = [this](Call& call, Micros now) { start(call, now); };
  }

  Result run() {
    if (scenario_.calls_per_s > 0) {
      at(Micros(0), Kind::come, nullptr);
    } else {
      for (int consumer = 0; consumer < static_cast<int>(scenario_.callers.size()); ++consumer) {
        for (int i = 0; i < scenario_.callers[static_cast<std::size_t>(consumer)]; ++i)
          fresh(new_call(), consumer, Micros(0));
      }
    }
    const Micros end = scenario_.warm_up + scenario_.length;
    while (true) {
      const Micros event = events_.empty() ? kNever : events_.top().at;
      const Micros now = std::min(event, limiter_.next());
      if (now > end) break;
      if (event > now) {
        limiter_.wake(now);
        continue;
      }
      const Event due = events_.top();
      events_.pop();
      happen(due, now);
    }
    for (const Call& call : calls_) {
      if (call.asked >= Micros(0) && call.started < call.asked) waited(call, end - call.asked);
    }
    finish();
    return result_;
  }

 private:
  enum class Kind : std::uint8_t { come, ask, reach, answer };
  struct Event {
    Micros at;
    std::uint64_t order;
    Kind kind;
    Call* call;
    bool operator>(const Event& other) const { return at != other.at ? at > other.at : order > other.order; }
  };

  void at(Micros when, Kind kind, Call* call) { events_.push({when, ++order_, kind, call}); }

  Call& new_call() {
    if (!free_.empty()) {
      Call& call = *free_.back();
      free_.pop_back();
      return call;
    }
    return calls_.emplace_back();
  }

  void fresh(Call& call, int consumer, Micros now) {
    call = Call{.consumer = consumer, .asked = now, .started = Micros(-1)};
    call.latency = Micros(random_.from(500'000, 2'000'000));
    if (scenario_.most_tokens > 0) call.tokens = random_.from(1, scenario_.most_tokens);
    at(now, Kind::ask, &call);
  }

  void start(Call& call, Micros now) {
    call.started = now;
    at(now + provider_.delay(), Kind::reach, &call);
  }

  void happen(const Event& due, Micros now) {
    switch (due.kind) {
      case Kind::come:
        come(now);
        break;
      case Kind::ask:
        limiter_.ask(*due.call, now);
        break;
      case Kind::reach:
        reach(*due.call, now);
        break;
      case Kind::answer:
        limiter_.answered(*due.call, now);
        if (scenario_.calls_per_s > 0) {
          due.call->asked = Micros(-1);
          free_.push_back(due.call);
        } else {
          fresh(*due.call, due.call->consumer, now);
        }
        break;
    }
  }

  void come(Micros now) {
    const auto consumer = static_cast<int>(random_.from(0, static_cast<int>(taken_.size()) - 1));
    for (std::int64_t i = random_.from(1, scenario_.most_at_once); i > 0; --i)
      fresh(new_call(), consumer, now);
    const double mean = static_cast<double>(1 + scenario_.most_at_once) / 2;
    at(now + random_.gap(scenario_.calls_per_s / mean), Kind::come, nullptr);
  }

  void reach(Call& call, Micros now) {
    const auto& verdict = provider_.call(limits_, call.tokens, kZero + now);
    ++result_.reached;
    if (!verdict.refused_by.empty()) {
      ++result_.refused;
      ++call.refusals;
      at(now + limiter_.refused(call, verdict, now), Kind::ask, &call);
      return;
    }
    waited(call, call.started - call.asked);
    if (++through_ == scenario_.batch) result_.batch = now;
    if (now >= scenario_.warm_up) measure(call, scenario_.most_tokens > 0 ? call.tokens : 1, now);
    at(now + call.latency, Kind::answer, &call);
  }

  void measure(const Call& call, std::int64_t amount, Micros now) {
    if (sum_ == 0) first_ = now;
    if (sum_ / scenario_.limit.amount > limits_full_) {
      limits_full_ = sum_ / scenario_.limit.amount;
      const double windows = seconds(now - first_) / seconds(scenario_.limit.window.length);
      result_.share = static_cast<double>(limits_full_) / windows;
    }
    sum_ += amount;
    taken_[static_cast<std::size_t>(call.consumer)] += amount;
  }

  void waited(const Call& call, Micros wait) {
    Micros& longest = call.consumer == 0 ? result_.longest_wait_greedy : result_.longest_wait;
    longest = std::max(longest, wait);
  }

  void finish() {
    const auto sum = static_cast<double>(sum_);
    if (limits_full_ == 0) {
      result_.share = sum / static_cast<double>(scenario_.limit.amount) /
                      (seconds(scenario_.length) / seconds(scenario_.limit.window.length));
    }
    const auto [least, most] = std::minmax_element(taken_.begin(), taken_.end());
    if (sum > 0)
      result_.gap = static_cast<double>(*most - *least) / (sum / static_cast<double>(taken_.size()));
  }

  const Scenario& scenario_;
  Limiter& limiter_;
  simulation::Upstream provider_;
  std::vector<simulation::Upstream::Limit> limits_;
  Random random_;
  std::deque<Call> calls_;
  std::vector<Call*> free_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t order_ = 0;
  std::int64_t through_ = 0;
  // In the measured time.
  Micros first_{0};
  std::int64_t sum_ = 0, limits_full_ = 0;
  std::vector<std::int64_t> taken_;  // by consumer
  Result result_;
};

}  // namespace

Micros Limiter::refused(const Call& call, const simulation::Upstream::Verdict& /*verdict*/, Micros /*now*/) {
  return std::chrono::seconds(1LL << std::min(call.refusals - 1, 6));
}

Result run(const Scenario& scenario, Limiter& limiter) {
  return World(scenario, limiter).run();
}

}  // namespace weir::bench
