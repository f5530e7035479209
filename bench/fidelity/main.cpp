// How well limiters keep a provider's limit and how much of it they use, as Markdown tables on standard
// output. docs/fidelity.md has the method. Exit code 1 if the provider refused Weir anything within the
// guard.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

#include <fmt/format.h>

#include "bench/fidelity/limiters.hpp"
#include "bench/fidelity/world.hpp"

namespace weir::bench {
namespace {

using simulation::Counting;

constexpr std::array<Micros, 5> kJitters = {Micros(0), Micros(100'000), Micros(250'000), Micros(500'000),
                                            Micros(1'000'000)};
constexpr Micros kUsualJitter = kJitters[1];
constexpr Micros kGuard{250'000};
constexpr int kPhases = 12;

struct Provider {
  std::string name;
  std::vector<simulation::UpstreamOptions> kinds;  // one, or a phase each
};

std::vector<Provider> providers() {
  Provider sliding{"sliding", {{.counting = Counting::sliding}}};
  Provider minutes{"minutes, 12 phases", {}};
  for (int i = 0; i < kPhases; ++i)
    minutes.kinds.push_back({.counting = Counting::fixed, .phase = std::chrono::seconds(60 * i / kPhases)});
  Provider bucket{"bucket", {{.counting = Counting::bucket}}};
  return {sliding, minutes, bucket};
}

quota::LimitSpec limit(Metric metric, Micros length, std::int64_t amount) {
  quota::LimitSpec spec;
  spec.models = {"m"};
  spec.metric = metric;
  spec.window = {quota::WindowKind::sliding, length};
  spec.amount = amount;
  spec.name = quota::limit_name(spec.models, metric, spec.window);
  return spec;
}

// 120 requests a minute; one consumer keeps 120 calls asking, three keep 40: enough to take a fair part at
// once.
Scenario requests() {
  Scenario scenario;
  scenario.limit = limit(Metric::requests, std::chrono::seconds(60), 120);
  scenario.provider_limit = scenario.limit;
  scenario.callers = {120, 40, 40, 40};
  scenario.warm_up = std::chrono::minutes(5);
  scenario.length = std::chrono::minutes(30);
  scenario.batch = 1200;
  return scenario;
}

// 600,000 tokens a minute in calls of up to a fifth of that: some ten calls a minute.
Scenario tokens() {
  Scenario scenario;
  scenario.limit = limit(Metric::input_tokens, std::chrono::seconds(60), 600'000);
  scenario.provider_limit = scenario.limit;
  scenario.callers = {12, 4, 4, 4};
  scenario.most_tokens = scenario.limit.amount / 5;
  scenario.warm_up = std::chrono::minutes(10);
  scenario.length = std::chrono::hours(2);
  scenario.batch = 100;
  return scenario;
}

// Half of the limit, in bursts at random moments: what a fixed window is weakest at.
Scenario light(Scenario scenario) {
  const bool tokens = scenario.most_tokens > 0;
  scenario.calls_per_s = tokens ? 5.0 / 60 : 1;
  scenario.most_at_once = tokens ? 5 : 120;
  scenario.length = std::chrono::hours(2);
  return scenario;
}

// One second's share of the limit in every second, as some providers enforce it.
Scenario by_the_second(Scenario scenario) {
  scenario.provider_limit.window.length = std::chrono::seconds(1);
  scenario.provider_limit.amount /= 60;
  return scenario;
}

// All runs of a limiter against the kinds of a provider, taken together.
struct Sum {
  std::int64_t reached = 0, refused = 0;
  double share = 1e9;                                        // the least
  Micros batch{0}, longest_wait{0}, longest_wait_greedy{0};  // the longest
  double gap = 0;                                            // the widest

  void add(const Sum& other) {
    reached += other.reached;
    refused += other.refused;
    share = std::min(share, other.share);
    batch = std::max(batch, other.batch);
    longest_wait = std::max(longest_wait, other.longest_wait);
    longest_wait_greedy = std::max(longest_wait_greedy, other.longest_wait_greedy);
    gap = std::max(gap, other.gap);
  }
  void add(const Result& result) {
    reached += result.reached;
    refused += result.refused;
    share = std::min(share, result.share);
    batch = std::max(batch, result.batch == Micros(0) ? kNever : result.batch);  // 0: never through
    longest_wait = std::max(longest_wait, result.longest_wait);
    longest_wait_greedy = std::max(longest_wait_greedy, result.longest_wait_greedy);
    gap = std::max(gap, result.gap);
  }
  [[nodiscard]] std::string per_thousand() const {
    if (refused == 0) return "0";
    return fmt::format("{:.1f}", 1000.0 * static_cast<double>(refused) / static_cast<double>(reached));
  }
};

class Bench {
 public:
  Sum run(Scenario scenario, const Kind& kind, const Provider& provider, Micros jitter) {
    Sum sum;
    std::uint64_t seed = 1;
    for (const simulation::UpstreamOptions& options : provider.kinds) {
      scenario.provider = options;
      scenario.provider.jitter = jitter;
      scenario.provider.seed = seed++;
      const auto limiter = kind.make(scenario.limit);
      const Result result = bench::run(scenario, *limiter);
      calls_ += result.reached;
      sum.add(result);
    }
    return sum;
  }

  void saturated(const std::string& title, const Scenario& scenario, double least_share) {
    fmt::print("### {}\n\nRefused by the provider, of 1000 calls that reached it:\n\n", title);
    fmt::print(
        "| provider | limiter | jitter 0 | 0.1 s | 0.25 s | 0.5 s | 1 s |\n|---|---|---|---|---|---|---|\n");
    for (const Provider& provider : providers()) {
      for (std::size_t i = 0; i < kinds_.size(); ++i) {
        fmt::print("| {} | {} |", provider.name, kinds_[i].name);
        for (const Micros jitter : kJitters) {
          const Sum sum = run(scenario, kinds_[i], provider, jitter);
          fmt::print(" {} |", sum.per_thousand());
          if (i == 0 && jitter <= kGuard) {
            weir_refused_ += sum.refused;
            least_ = std::min(least_, sum.share);
          }
          if (jitter == kUsualJitter) totals(i).add(sum);
        }
        fmt::print("\n");
      }
    }
    fmt::print("\nUse, at a jitter of 0.1 s; each the worst of all providers:\n\n");
    fmt::print(
        "| limiter | of the limit used | {} calls through after | longest wait, modest consumers | greedy "
        "one | "
        "gap between consumers |\n|---|---|---|---|---|---|\n",
        scenario.batch);
    for (std::size_t i = 0; i < kinds_.size(); ++i) {
      const Sum& total = totals_[i];
      fmt::print("| {} | {:.1f} % | {} | {:.1f} s | {:.1f} s | {:.1f} % |\n", kinds_[i].name,
                 100 * total.share,
                 total.batch == kNever ? "-" : fmt::format("{:.1f} s", seconds(total.batch)),
                 seconds(total.longest_wait), seconds(total.longest_wait_greedy), 100 * total.gap);
    }
    fmt::print("\nWeir used at least {:.2f} % of the limit within the guard; asked of it: {:.1f} %{}\n\n",
               100 * least_, 100 * least_share, least_ < least_share ? ", **missed**." : ".");
    totals_.clear();
    least_ = 1e9;
  }

  void lightly(const std::string& title, const Scenario& scenario) {
    fmt::print("### {}\n\nRefused of 1000 calls, at a jitter of 0.1 s:\n\n", title);
    fmt::print("| limiter | sliding | minutes, 12 phases | bucket | longest wait |\n|---|---|---|---|---|\n");
    for (const Kind& kind : kinds_) {
      fmt::print("| {} |", kind.name);
      Micros longest{0};
      for (const Provider& provider : providers()) {
        const Sum sum = run(light(scenario), kind, provider, kUsualJitter);
        fmt::print(" {} |", sum.per_thousand());
        longest = std::max({longest, sum.longest_wait, sum.longest_wait_greedy});
        if (&kind == &kinds_.front()) weir_refused_ += sum.refused;
      }
      fmt::print(" {:.1f} s |\n", seconds(longest));
    }
    fmt::print("\n");
  }

  void seconds_apart() {
    fmt::print("### 120 requests a minute, enforced as 2 a second\n\n");
    fmt::print(
        "| limiter | refused of 1000, jitter 0 | 0.1 s | 0.25 s | 0.5 s | 1 s | of the limit used (0.1 s) |\n"
        "|---|---|---|---|---|---|---|\n");
    std::vector<Kind> kinds = kinds_;
    kinds.insert(kinds.begin() + 1, weir_service(kGuard, true));
    const Provider provider{"2 a second", {{.counting = Counting::sliding}}};
    for (const Kind& kind : kinds) {
      fmt::print("| {} |", kind.name);
      double share = 0;
      for (const Micros jitter : kJitters) {
        const Sum sum = run(by_the_second(requests()), kind, provider, jitter);
        fmt::print(" {} |", sum.per_thousand());
        if (jitter == kUsualJitter) share = sum.share;
      }
      fmt::print(" {:.1f} % |\n", 100 * share);
    }
    fmt::print("\n");
  }

  int all() {
    const auto begin = std::chrono::steady_clock::now();
    saturated("A saturated request limit: 120 a minute", requests(), 0.985);
    saturated("A saturated token limit: 600,000 a minute in calls of 1 to 120,000", tokens(), 0.95);
    lightly("Requests at half the limit, in bursts of 1 to 120", requests());
    lightly("Tokens at half the limit, in bursts of 1 to 5 calls", tokens());
    seconds_apart();
    fmt::print("{} calls reached a provider. Refused to Weir within its guard, the last table apart: {}.\n",
               calls_, weir_refused_);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    fmt::print(stderr, "took {:.1f} s\n", took.count());
    return weir_refused_ == 0 ? 0 : 1;
  }

 private:
  Sum& totals(std::size_t i) {
    if (i >= totals_.size()) totals_.resize(i + 1);
    return totals_[i];
  }

  const std::vector<Kind> kinds_ = [] {
    std::vector<Kind> kinds = {weir_service(kGuard), weir_service(std::chrono::seconds(1))};
    for (Kind& kind : others()) kinds.push_back(std::move(kind));
    return kinds;
  }();
  std::vector<Sum> totals_;  // by kind, at the usual jitter
  double least_ = 1e9;
  std::int64_t weir_refused_ = 0;
  std::int64_t calls_ = 0;
};

}  // namespace
}  // namespace weir::bench

int main() {
  return weir::bench::Bench().all();
}
