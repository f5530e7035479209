#include "provider/error_text.hpp"

#include <algorithm>
#include <string>

#include "provider/json.hpp"
#include "provider/redact.hpp"
#include "time/duration.hpp"

namespace weir::provider {
namespace {

constexpr auto npos = std::string_view::npos;
constexpr std::size_t kReadBytes = 16384;  // no refusal says anything new beyond
constexpr std::size_t kMaxName = 200;
constexpr std::size_t kMaxFound = 16;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_word(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' ||
         c == '.' || c == '/' || c == ':' || c == '@';
}

std::string lower(std::string_view text) {
  std::string folded(text);
  for (char& c : folded) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return folded;
}

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != npos;
}

// "input tokens", "requests", "tokens": what a size in prose counts.
std::optional<Metric> counted(std::string_view words) {
  if (has(words, "token")) {
    if (has(words, "input")) return Metric::input_tokens;
    return has(words, "output") ? Metric::output_tokens : Metric::total_tokens;
  }
  if (has(words, "request")) return Metric::requests;
  if (has(words, "image")) return Metric::images;
  return std::nullopt;
}

void add(std::vector<QuotaViolation>& found, QuotaViolation violation) {
  if (found.size() < kMaxFound && std::find(found.begin(), found.end(), violation) == found.end()) {
    found.push_back(std::move(violation));
  }
}

}  // namespace

Metric metric_named(std::string_view quota_id, std::string_view quota_metric) {
  const std::string metric = lower(quota_metric);
  const bool token_metric = has(metric, "token");
  if (has(quota_id, "OutputTokens") || (token_metric && has(metric, "output"))) return Metric::output_tokens;
  // Google's token quotas count input, also where the name does not say so.
  if (has(quota_id, "Tokens") || token_metric) return Metric::input_tokens;
  if (has(quota_id, "ImagesPer") || has(metric, "images_per") || metric == "images") return Metric::images;
  return Metric::requests;
}

QuotaPeriod period_named(std::string_view name) {
  std::string folded = lower(name);
  folded.erase(
      std::remove_if(folded.begin(), folded.end(), [](char c) { return c == ' ' || c == '_' || c == '-'; }),
      folded.end());
  if (has(folded, "perday")) return QuotaPeriod::day;
  if (has(folded, "permonth")) return QuotaPeriod::month;
  if (has(folded, "permin")) return QuotaPeriod::minute;
  if (has(folded, "persec")) return QuotaPeriod::second;
  return QuotaPeriod::unknown;
}

bool free_tier_named(std::string_view name) {
  const std::string folded = lower(name);
  return has(folded, "freetier") || has(folded, "free_tier") || has(folded, "free tier");
}

ErrorText::ErrorText(std::string_view text, bool complete)
    : text_(text.substr(0, kReadBytes)),
      lower_(lower(text_)),
      complete_(complete && text.size() <= kReadBytes) {}

bool ErrorText::contains(std::string_view lower_case) const {
  return has(lower_, lower_case);
}

// A name: a run of letters, digits and the signs that names have; empty if the text was cut off in it.
std::string_view ErrorText::word_at(std::size_t at) const {
  std::size_t end = at;
  while (end < text_.size() && is_word(text_[end])) ++end;
  if (cut_at(end)) return {};
  std::string_view word = text_.substr(at, end - at);
  while (!word.empty() && (word.back() == '.' || word.back() == ':')) word.remove_suffix(1);
  return word;
}

// "500", "50,000"; not a part of "1.5", "20K" or "1,5".
std::optional<std::int64_t> ErrorText::number_at(std::size_t at, std::size_t* end_out) const {
  std::string digits;
  std::size_t end = at;
  const auto digits_from = [&](std::size_t from) {
    std::size_t n = from;
    while (n < text_.size() && is_digit(text_[n])) ++n;
    return n;
  };
  end = digits_from(at);
  digits.append(text_.substr(at, end - at));
  while (end < text_.size() && text_[end] == ',') {
    const std::size_t group = digits_from(end + 1) - (end + 1);
    if (group == 0) break;  // "Limit 30000, Used"
    if (group != 3 || digits.size() > 15) return std::nullopt;
    digits.append(text_.substr(end + 1, 3));
    end += 4;
  }
  if (cut_at(end)) return std::nullopt;
  if (end < text_.size()) {
    const char next = text_[end];
    const bool sentence_end = next == '.' && (end + 1 == text_.size() ? complete_ : !is_word(text_[end + 1]));
    if (!sentence_end && is_word(next)) return std::nullopt;
  }
  if (end_out != nullptr) *end_out = end;
  return json::count(digits);
}

std::optional<std::int64_t> ErrorText::number_after(std::string_view lead, std::size_t from,
                                                    std::size_t to) const {
  const std::size_t at = std::string_view(lower_).substr(0, to).find(lead, from);
  return at == npos ? std::nullopt : number_at(at + lead.size());
}

std::string ErrorText::model_between(std::size_t from, std::size_t to) const {
  constexpr std::string_view kLead = "model: ";
  const std::size_t at = std::string_view(lower_).substr(0, to).find(kLead, from);
  return at == npos ? std::string() : presentable(word_at(at + kLead.size()), kMaxName);
}

std::optional<Micros> ErrorText::retry_hint() const {
  std::optional<Micros> longest;
  for (const std::string_view lead : {"retry in ", "try again in ", "retry after "}) {
    for (std::size_t at = lower_.find(lead); at != npos; at = lower_.find(lead, at + 1)) {
      const std::size_t begin = at + lead.size();
      std::size_t end = begin;
      while (end < lower_.size() && is_word(lower_[end])) ++end;
      if (cut_at(end)) continue;
      std::string delay = lower_.substr(begin, end - begin);
      while (!delay.empty() && delay.back() == '.') delay.pop_back();
      const std::string_view rest = std::string_view(lower_).substr(end);
      for (const std::string_view unit : {" second", " minute", " hour"}) {
        if (rest.starts_with(unit)) delay.push_back(unit[1]);
      }
      const auto hint = parse_duration(delay);
      if (hint && (!longest || *hint > *longest)) longest = hint;
    }
  }
  return longest;
}

std::vector<QuotaViolation> ErrorText::violations() const {
  std::vector<QuotaViolation> found;
  google_lines(found);
  if (found.empty()) google_2024(found);
  if (found.empty()) openai(found);
  if (found.empty()) sized("limit: ", found);
  if (found.empty()) sized("rate limit of ", found);
  if (found.empty()) openrouter(found);
  return found;
}

void ErrorText::google_lines(std::vector<QuotaViolation>& found) const {
  constexpr std::string_view kLead = "quota exceeded for metric: ";
  for (std::size_t at = lower_.find(kLead); at != npos;) {
    const std::size_t next = lower_.find(kLead, at + 1);
    QuotaViolation violation;
    violation.quota_metric = presentable(word_at(at + kLead.size()), kMaxName);
    violation.metric = metric_named({}, violation.quota_metric);
    violation.period = period_named(violation.quota_metric);
    violation.free_tier = free_tier_named(violation.quota_metric);
    violation.amount = number_after("limit: ", at, next);
    violation.model = model_between(at, next);
    if (!violation.quota_metric.empty()) add(found, std::move(violation));
    at = next;
  }
}

void ErrorText::google_2024(std::vector<QuotaViolation>& found) const {
  constexpr std::string_view kMetric = "quota metric '";
  constexpr std::string_view kLimit = "limit '";
  const std::size_t metric = lower_.find(kMetric);
  if (metric == npos) return;
  const std::size_t metric_end = lower_.find('\'', metric + kMetric.size());
  const std::size_t limit = lower_.find(kLimit, metric_end);
  if (metric_end == npos || limit == npos) return;
  const std::size_t limit_end = lower_.find('\'', limit + kLimit.size());
  if (limit_end == npos) return;
  const auto part = [&](std::size_t begin, std::size_t end) { return text_.substr(begin, end - begin); };
  QuotaViolation violation;
  violation.quota_metric = presentable(part(metric + kMetric.size(), metric_end), kMaxName);
  const std::string_view name = part(limit + kLimit.size(), limit_end);
  violation.metric = metric_named({}, name);
  violation.period = period_named(name);
  violation.free_tier = free_tier_named(name);
  add(found, std::move(violation));
}

void ErrorText::openai(std::vector<QuotaViolation>& found) const {
  constexpr std::string_view kLead = "): limit ";
  const std::size_t lead = lower_.find(kLead);
  if (lead == npos) return;
  const std::size_t on = lower_.rfind(" on ", lead);
  if (on == npos) return;
  const std::string_view what = text_.substr(on + 4, lead + 1 - (on + 4));  // "tokens per min (TPM)"
  const auto metric = counted(lower(what));
  if (!metric) return;
  QuotaViolation violation;
  violation.quota_metric = presentable(what, kMaxName);
  violation.metric = *metric;
  violation.period = period_named(what);
  violation.amount = number_at(lead + kLead.size());
  violation.used = number_after(", used ", lead, npos);
  for (const std::string_view before :
       {"reached for model `", "reached for ", "too large for model `", "too large for "}) {
    const std::size_t model = lower_.find(before);
    if (model == npos) continue;
    violation.model = presentable(word_at(model + before.size()), kMaxName);
    break;
  }
  add(found, std::move(violation));
}

// "<lead>N <what> per <period>"
void ErrorText::sized(std::string_view lead, std::vector<QuotaViolation>& found) const {
  for (std::size_t at = lower_.find(lead); at != npos; at = lower_.find(lead, at + 1)) {
    std::size_t end = 0;
    const auto amount = number_at(at + lead.size(), &end);
    if (!amount) continue;
    const std::string_view after = std::string_view(lower_).substr(end, 60);
    const std::size_t per = after.find(" per ");
    const std::size_t stop = after.find_first_of(",.;\n(");
    if (per == npos || (stop != npos && stop < per)) continue;
    const auto metric = counted(after.substr(0, per));
    const QuotaPeriod period = period_named(after.substr(per, 8));
    if (!metric || period == QuotaPeriod::unknown) continue;
    QuotaViolation violation;
    violation.metric = *metric;
    violation.period = period;
    violation.free_tier = free_tier_named(lower_);
    violation.amount = amount;
    violation.model = model_between(at, npos);
    add(found, std::move(violation));
  }
}

void ErrorText::openrouter(std::vector<QuotaViolation>& found) const {
  const std::size_t at = lower_.find("free-models-per-");
  if (at == npos) return;
  QuotaViolation violation;
  violation.quota_id = presentable(word_at(at), kMaxName);
  violation.period = period_named(violation.quota_id);
  violation.free_tier = true;
  if (violation.period != QuotaPeriod::unknown) add(found, std::move(violation));
}

}  // namespace weir::provider
