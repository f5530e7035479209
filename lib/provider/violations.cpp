#include "provider/violations.hpp"

#include <algorithm>
#include <string>

#include "provider/redact.hpp"

namespace weir::provider {
namespace {

using json::Element;
using json::member;

constexpr std::size_t kMaxName = 200;
constexpr std::size_t kMaxViolations = 16;

template <typename Visit>
void for_each(const std::optional<Element>& list, Visit visit) {
  simdjson::dom::array items;
  if (!list || list->get(items) != simdjson::SUCCESS) return;
  for (const Element item : items) visit(item);
}

std::string name_of(Element object, std::string_view key) {
  return presentable(json::text(object, key), kMaxName);
}

// Sizes are strings of digits, or numbers.
std::optional<std::int64_t> size_of(Element object, std::string_view key) {
  const auto value = member(object, key);
  if (!value) return std::nullopt;
  return value->is_string() ? json::count(json::text(object, key)) : json::count(*value);
}

void add(std::vector<QuotaViolation>& found, QuotaViolation violation, std::string_view unit = {}) {
  // What is stored is not what is called: it must not stop the model.
  if (violation.quota_id.find("Storage") != std::string::npos) return;
  if ((violation.quota_id.empty() && violation.quota_metric.empty()) || found.size() >= kMaxViolations)
    return;
  violation.metric = metric_named(violation.quota_id, violation.quota_metric);
  violation.period = period_named(violation.quota_id);
  if (violation.period == QuotaPeriod::unknown && unit.starts_with("1/min/"))
    violation.period = QuotaPeriod::minute;
  if (violation.period == QuotaPeriod::unknown && unit.starts_with("1/d/"))
    violation.period = QuotaPeriod::day;
  violation.free_tier = free_tier_named(violation.quota_id) || free_tier_named(violation.quota_metric);
  found.push_back(std::move(violation));
}

void add_quota_failure(std::vector<QuotaViolation>& found, Element detail) {
  for_each(member(detail, "violations"), [&](Element item) {
    QuotaViolation violation;
    violation.quota_id = name_of(item, "quotaId");
    violation.quota_metric = name_of(item, "quotaMetric");
    if (const auto dimensions = member(item, "quotaDimensions"))
      violation.model = name_of(*dimensions, "model");
    violation.amount = size_of(item, "quotaValue");
    add(found, std::move(violation));
  });
}

void add_error_info(std::vector<QuotaViolation>& found, Element detail) {
  const auto metadata = member(detail, "metadata");
  if (!metadata) return;
  QuotaViolation violation;
  violation.quota_id = name_of(*metadata, "quota_limit");
  violation.quota_metric = name_of(*metadata, "quota_metric");
  violation.amount = size_of(*metadata, "quota_limit_value");
  add(found, std::move(violation), json::text(*metadata, "quota_unit"));
}

void complete(QuotaViolation& violation, const std::vector<QuotaViolation>& lines) {
  std::optional<std::int64_t> said;
  bool zero = false;
  bool several = false;
  for (const QuotaViolation& line : lines) {
    if (!violation.quota_metric.empty() && line.quota_metric != violation.quota_metric) continue;
    if (violation.model.empty()) violation.model = line.model;
    if (!line.amount) continue;
    zero = zero || *line.amount == 0;
    several = several || (said && *said != *line.amount);
    said = line.amount;
  }
  if (violation.amount) return;
  if (zero) {
    violation.amount = 0;
  } else if (!several) {
    violation.amount = said;
  }
}

// OpenRouter passes the headers of its own refusals on in the body.
std::optional<std::int64_t> openrouter_limit(Element error) {
  const auto metadata = member(error, "metadata");
  const auto headers = metadata ? member(*metadata, "headers") : std::nullopt;
  return headers ? size_of(*headers, "X-RateLimit-Limit") : std::nullopt;
}

}  // namespace

std::vector<QuotaViolation> violations_of(Element error, const ErrorText& text) {
  std::vector<QuotaViolation> found;
  const auto details = member(error, "details");
  for_each(details, [&](Element detail) { add_quota_failure(found, detail); });
  if (found.empty()) for_each(details, [&](Element detail) { add_error_info(found, detail); });
  std::vector<QuotaViolation> lines = text.violations();
  if (found.empty()) {
    if (lines.size() == 1 && !lines.front().amount) lines.front().amount = openrouter_limit(error);
    return lines;
  }
  for (QuotaViolation& violation : found) complete(violation, lines);
  return found;
}

}  // namespace weir::provider
