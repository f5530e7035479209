#include "provider/rate_limits.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "time/duration.hpp"
#include "time/rfc3339.hpp"

namespace weir::provider {
namespace {

constexpr std::string_view kAnthropic = "anthropic-ratelimit-";
constexpr std::string_view kOthers = "x-ratelimit-";
constexpr std::size_t kLongestName = 64;
constexpr std::size_t kMost = 8;

std::optional<std::int64_t> number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

std::optional<Metric> metric_of(std::string_view unit) {
  if (unit == "requests" || unit.empty()) return Metric::requests;
  if (unit == "tokens") return Metric::total_tokens;
  if (unit == "input-tokens") return Metric::input_tokens;
  if (unit == "output-tokens") return Metric::output_tokens;
  return std::nullopt;
}

void read_reset(RateLimit& into, std::string_view value) {
  constexpr std::int64_t kMillisecondsSince1970 = 1'000'000'000'000;  // no plausible number of seconds
  if (const auto whole = number(value)) {
    if (*whole >= kMillisecondsSince1970) {
      into.reset_at = WallTime(std::chrono::milliseconds(std::min<std::int64_t>(*whole, 9'000'000'000'000)));
    } else if (*whole < 10'000'000) {
      into.reset_after = std::chrono::seconds(*whole);
    }
  } else if (const auto at = parse_rfc3339(value)) {
    into.reset_at = *at;
  } else {
    into.reset_after = parse_duration(value);
  }
}

}  // namespace

Micros RateLimit::reset_in(WallTime now) const {
  if (reset_after) return *reset_after;
  return reset_at ? *reset_at - now : Micros(0);
}

void read_rate_limit(std::string_view name, std::string_view value, std::vector<RateLimit>& into) {
  if (name.size() > kLongestName || name.size() <= kOthers.size()) return;
  if (const int first = name.front() | 0x20; first != kAnthropic[0] && first != kOthers[0]) return;
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  const bool anthropic = lower.starts_with(kAnthropic);
  if (!anthropic && !lower.starts_with(kOthers)) return;

  // Anthropic: …-{unit}-{what}; the others: …-{what}[-{unit}].
  std::string_view rest = std::string_view(lower).substr(anthropic ? kAnthropic.size() : kOthers.size());
  std::string_view what, unit;
  if (anthropic) {
    const std::size_t dash = rest.rfind('-');
    if (dash == std::string_view::npos) return;
    unit = rest.substr(0, dash);
    what = rest.substr(dash + 1);
  } else {
    const std::size_t dash = rest.find('-');
    what = rest.substr(0, dash);
    unit = dash == std::string_view::npos ? std::string_view() : rest.substr(dash + 1);
  }
  const auto metric = metric_of(unit);
  if (!metric || (what != "limit" && what != "remaining" && what != "reset")) return;

  std::string header = std::string(anthropic ? kAnthropic : kOthers) + std::string(unit);
  if (header.ends_with('-')) header.pop_back();
  auto at =
      std::find_if(into.begin(), into.end(), [&](const RateLimit& each) { return each.header == header; });
  if (at == into.end()) {
    if (into.size() >= kMost) return;
    RateLimit fresh;
    fresh.header = std::move(header);
    fresh.metric = *metric;
    // Anthropic's are a bucket that fills up within a minute.
    fresh.period = anthropic ? QuotaPeriod::minute : QuotaPeriod::unknown;
    at = into.insert(into.end(), std::move(fresh));
  }
  if (what == "limit") {
    at->limit = number(value);
  } else if (what == "remaining") {
    at->remaining = number(value);
  } else {
    read_reset(*at, value);
  }
}

}  // namespace weir::provider
