#include "quota_upstream.hpp"

#include <algorithm>
#include <cstdlib>
#include <ctime>
#include <deque>
#include <map>
#include <utility>

namespace weir::property {
namespace {

void sort_by_time(std::vector<Counted>& calls) {
  std::stable_sort(calls.begin(), calls.end(),
                   [](const Counted& a, const Counted& b) { return a.at < b.at; });
}

Excess over(const std::string& how, std::int64_t at, std::int64_t counted, std::int64_t amount) {
  return how + ": " + std::to_string(counted) + " of " + std::to_string(amount) + " at " + std::to_string(at);
}

void use_zone(const std::string& zone) {
  static std::string in_use;
  if (zone == in_use) return;
  in_use = zone;
  setenv("TZ", (":" + zone).c_str(), 1);
  tzset();
}

}  // namespace

std::int64_t number_of(Calendar unit, const std::string& zone, std::int64_t wall) {
  use_zone(zone);
  const std::time_t second = wall / 1'000'000;
  std::tm local{};
  localtime_r(&second, &local);
  if (unit == Calendar::month) return local.tm_year * 12 + local.tm_mon;
  std::tm date{};
  date.tm_year = local.tm_year;
  date.tm_mon = local.tm_mon;
  date.tm_mday = local.tm_mday;
  const std::int64_t day = timegm(&date) / 86'400;
  if (unit == Calendar::day) return day;
  return (day + 3) / 7;  // 1970-01-01 was a Thursday
}

Excess fixed_windows(std::vector<Counted> calls, std::int64_t window, std::int64_t amount, int phases) {
  sort_by_time(calls);
  for (int i = 0; i < phases; ++i) {
    const std::int64_t phase = window * i / phases;
    std::int64_t current = -1;
    std::int64_t count = 0;
    for (const Counted& call : calls) {
      const std::int64_t index = (call.at - phase) / window;
      if (index != current) count = 0;
      current = index;
      count += call.amount;
      if (count > amount) return over("fixed window, phase " + std::to_string(phase), call.at, count, amount);
    }
  }
  return std::nullopt;
}

Excess rolling_window(std::vector<Counted> calls, std::int64_t window, std::int64_t amount) {
  sort_by_time(calls);
  std::deque<Counted> inside;
  std::int64_t count = 0;
  for (const Counted& call : calls) {
    while (!inside.empty() && inside.front().at + window <= call.at) {
      count -= inside.front().amount;
      inside.pop_front();
    }
    inside.push_back(call);
    count += call.amount;
    if (count > amount) return over("rolling window", call.at, count, amount);
  }
  return std::nullopt;
}

Excess token_bucket(std::vector<Counted> calls, std::int64_t window, std::int64_t amount) {
  sort_by_time(calls);
  // In units of 1/window, so that the refill of a microsecond is whole.
  std::int64_t level = amount * window;
  std::int64_t before = calls.empty() ? 0 : calls.front().at;
  for (const Counted& call : calls) {
    level = std::min(amount * window, level + amount * std::min(window, call.at - before));
    before = call.at;
    level -= call.amount * window;
    if (level < 0) return over("token bucket", call.at, amount - level / window, amount);
  }
  return std::nullopt;
}

Excess calendar(const std::vector<Counted>& calls, Calendar unit, const std::string& zone,
                std::int64_t amount) {
  std::map<std::int64_t, std::int64_t> counts;
  for (const Counted& call : calls) {
    const std::int64_t index = number_of(unit, zone, call.wall);
    const std::int64_t count = counts[index] += call.amount;
    if (count > amount)
      return over("calendar in " + zone + ", number " + std::to_string(index), call.wall, count, amount);
  }
  return std::nullopt;
}

Excess in_flight(const std::vector<Open>& calls, std::int64_t amount) {
  // One that ends makes room for one that begins at the same moment.
  std::vector<std::pair<std::int64_t, int>> edges;
  for (const Open& call : calls) {
    if (call.from >= call.to) continue;
    edges.emplace_back(call.from, 1);
    edges.emplace_back(call.to, -1);
  }
  std::sort(edges.begin(), edges.end());
  std::int64_t open = 0;
  for (const auto& [at, change] : edges) {
    open += change;
    if (open > amount) return over("in flight", at, open, amount);
  }
  return std::nullopt;
}

}  // namespace weir::property
