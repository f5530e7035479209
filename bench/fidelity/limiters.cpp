#include "bench/fidelity/limiters.hpp"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>

#include <fmt/format.h>

#include "admission/service.hpp"
#include "ledger/null_journal.hpp"
#include "provider/error.hpp"

#include "simulation/refusal.hpp"

namespace weir::bench {
namespace {

// --- the others ---

std::int64_t cost_of(const Call& call) {
  return std::max<std::int64_t>(1, call.tokens);  // requests count as one
}

class Queued : public Limiter {
 public:
  explicit Queued(const quota::LimitSpec& limit) : amount_(limit.amount), window_(limit.window.length) {}

  void ask(Call& call, Micros now) override {
    line_.push_back(&call);
    wake(now);
  }
  [[nodiscard]] Micros next() const override { return line_.empty() ? kNever : next_; }
  void wake(Micros now) override {
    while (!line_.empty()) {
      const std::int64_t cost = cost_of(*line_.front());
      next_ = room_at(cost, now);
      if (next_ > now) return;
      take(cost, now);
      Call& call = *line_.front();
      line_.pop_front();
      start(call, now);
    }
  }

 protected:
  // `now` if there is room; else when to ask again.
  virtual Micros room_at(std::int64_t cost, Micros now) = 0;
  virtual void take(std::int64_t cost, Micros now) = 0;

  const std::int64_t amount_;
  const Micros window_;

 private:
  std::deque<Call*> line_;
  Micros next_{0};
};

class FixedWindow : public Queued {
 public:
  using Queued::Queued;

 private:
  Micros room_at(std::int64_t cost, Micros now) override {
    if (now / window_ != index_) {
      index_ = now / window_;
      count_ = 0;
    }
    return count_ + cost <= amount_ ? now : (index_ + 1) * window_;
  }
  void take(std::int64_t cost, Micros /*now*/) override { count_ += cost; }

  std::int64_t index_ = 0, count_ = 0;
};

class TwoCounters : public Queued {
 public:
  using Queued::Queued;

 private:
  Micros room_at(std::int64_t cost, Micros now) override {
    const std::int64_t index = now / window_;
    if (index != index_) {
      before_ = index == index_ + 1 ? count_ : 0;
      count_ = 0;
      index_ = index;
    }
    const std::int64_t left = amount_ - count_ - cost;
    if (left < 0) return (index + 1) * window_;
    if (before_ <= left) return now;
    // Room when before_ * (1 - passed / window) has come down to what is left.
    const double passed = 1 - static_cast<double>(left) / static_cast<double>(before_);
    const Micros opens =
        index * window_ +
        Micros(static_cast<std::int64_t>(std::ceil(passed * static_cast<double>(window_.count()))));
    return std::max(now, opens);
  }
  void take(std::int64_t cost, Micros /*now*/) override { count_ += cost; }

  std::int64_t index_ = 0, count_ = 0, before_ = 0;
};

class TokenBucket : public Queued {
 public:
  explicit TokenBucket(const quota::LimitSpec& limit)
      : Queued(limit), level_(static_cast<double>(limit.amount)) {}

 private:
  Micros room_at(std::int64_t cost, Micros now) override {
    const double a_micro = static_cast<double>(amount_) / static_cast<double>(window_.count());
    level_ =
        std::min(static_cast<double>(amount_), level_ + a_micro * static_cast<double>((now - at_).count()));
    at_ = now;
    const double missing = static_cast<double>(cost) - level_;
    if (missing <= 1e-6) return now;
    return now + Micros(static_cast<std::int64_t>(std::ceil(missing / a_micro)));
  }
  void take(std::int64_t cost, Micros /*now*/) override { level_ -= static_cast<double>(cost); }

  double level_;
  Micros at_{0};
};

class ListOfStarts : public Queued {
 public:
  using Queued::Queued;

 private:
  Micros room_at(std::int64_t cost, Micros now) override {
    while (!starts_.empty() && starts_.front().first + window_ <= now) {
      sum_ -= starts_.front().second;
      starts_.pop_front();
    }
    std::int64_t must_leave = sum_ + cost - amount_;
    if (must_leave <= 0) return now;
    for (const auto& [at, amount] : starts_) {
      must_leave -= amount;
      if (must_leave <= 0) return at + window_;
    }
    return now + window_;
  }
  void take(std::int64_t cost, Micros now) override {
    starts_.emplace_back(now, cost);
    sum_ += cost;
  }

  std::deque<std::pair<Micros, std::int64_t>> starts_;
  std::int64_t sum_ = 0;
};

class NoLimiter : public Limiter {
 public:
  void ask(Call& call, Micros now) override { start(call, now); }
};

// --- Weir ---

admission::Setup setup_of(quota::LimitSpec limit, Micros guard, bool second) {
  admission::ProjectSetup project{.name = "default",
                                  .provider = "gemini",
                                  .tier = "free",
                                  .as_of = "",
                                  .use_catalog = false,
                                  .time_zone = "UTC",
                                  .guard = guard,
                                  .limits = {limit}};
  if (second) {
    limit.window.length = std::chrono::seconds(1);
    limit.amount /= 60;
    limit.name = quota::limit_name(limit.models, limit.metric, limit.window);
    project.limits.push_back(std::move(limit));
  }
  return {.projects = {std::move(project)}, .pools = {}, .consumers = {}};
}

class WeirService : public Limiter {
 public:
  WeirService(const quota::LimitSpec& limit, Micros guard, bool second)
      : limit_(limit),
        service_(setup_of(limit, guard, second), catalog::Catalog::embedded(), journal_, metrics_) {}

  void ask(Call& call, Micros now) override {
    admission::Ask ask;
    const std::string consumer = fmt::format("consumer-{}", call.consumer);
    ask.route = service_.route("default", "m", consumer, at(now));
    ask.want.input_tokens = call.tokens;
    ask.wait = std::chrono::hours(1);
    const auto answer =
        service_.admit(ask, at(now), [this, &call](const admission::Answer& later) { decide(call, later); });
    if (answer.verdict != admission::Verdict::waiting) decide(call, answer);
  }
  void answered(const Call& call, Micros now) override {
    admission::Settlement settlement;
    settlement.usage = Usage{};
    settlement.usage->input_tokens = call.tokens;
    settle(call, std::move(settlement), now);
  }
  Micros refused(const Call& call, const simulation::Upstream::Verdict& verdict, Micros now) override {
    admission::Settlement settlement;
    settlement.status = 429;
    settlement.error = provider::error_of(429, simulation::refusal_body({&limit_}, verdict.retry_after));
    settle(call, std::move(settlement), now);
    return Micros(0);  // it knows when to let it go
  }
  [[nodiscard]] Micros next() const override {
    Micros next =
        service_.open_calls() > 0 || service_.waiting() > 0 ? ticked_ + std::chrono::seconds(1) : kNever;
    if (const auto line = service_.next_event()) {
      next = std::min(next, std::max(line->time_since_epoch() - kZero.time_since_epoch(),
                                     ticked_ + std::chrono::milliseconds(1)));
    }
    if (!again_.empty()) next = std::min(next, again_.begin()->first);
    return next;
  }
  void wake(Micros now) override {
    ticked_ = now_ = now;
    service_.tick(at(now));
    while (!again_.empty() && again_.begin()->first <= now) {
      Call& call = *again_.begin()->second;
      again_.erase(again_.begin());
      ask(call, now);
    }
  }

 private:
  Now at(Micros now) {
    now_ = now;
    return {SteadyTime(kZero.time_since_epoch()) + now, kZero + now};
  }
  void decide(Call& call, const admission::Answer& answer) {
    if (answer.verdict == admission::Verdict::admitted) {
      call.admission = answer.call->id;
      start(call, now_);
      return;
    }
    // Denied or timed out: it comes again when it was told to.
    const Micros retry_at = answer.retry_at.time_since_epoch() - kZero.time_since_epoch();
    again_.emplace(std::max(retry_at, now_ + std::chrono::milliseconds(1)), &call);
  }
  void settle(const Call& call, admission::Settlement settlement, Micros now) {
    settlement.sent_at = kZero + call.started;
    service_.settle(call.admission, settlement, at(now));
  }

  const quota::LimitSpec limit_;
  ledger::NullJournal journal_;
  telemetry::Registry metrics_;
  admission::Service service_;
  Micros now_{0}, ticked_{0};
  std::multimap<Micros, Call*> again_;
};

template <class Made>
Kind kind(std::string name) {
  return {std::move(name), [](const quota::LimitSpec& limit) { return std::make_unique<Made>(limit); }};
}

}  // namespace

Kind weir_service(Micros guard, bool second) {
  std::string name = "Weir";
  if (guard != Micros(250'000)) name += fmt::format(", guard {} s", seconds(guard));
  if (second) name += ", with a limit of 1 s";
  return {std::move(name), [guard, second](const quota::LimitSpec& limit) {
            return std::make_unique<WeirService>(limit, guard, second);
          }};
}

std::vector<Kind> others() {
  return {kind<FixedWindow>("fixed window"),
          kind<TwoCounters>("two counters"),
          kind<TokenBucket>("token bucket"),
          kind<ListOfStarts>("list of starts"),
          {"no limiter, backoff", [](const quota::LimitSpec&) { return std::make_unique<NoLimiter>(); }}};
}

}  // namespace weir::bench
