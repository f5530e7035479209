#include "simulation/refusal.hpp"

#include <string_view>

#include <fmt/format.h>

namespace weir::simulation {
namespace {

std::string_view period_of(const quota::Window& window) {
  if (window.kind == quota::WindowKind::day) return "Day";
  if (window.kind != quota::WindowKind::sliding) return {};
  if (window.length == std::chrono::seconds(1)) return "Second";
  return window.length == std::chrono::minutes(1) ? "Minute" : std::string_view();
}

std::string violation_of(const quota::LimitSpec& limit, std::string_view period) {
  const bool tokens = limit.metric == Metric::input_tokens;
  const bool one_model = quota::counts_one_model(limit);
  const bool named = one_model && limit.models.front().find_first_of("\"\\") == std::string::npos;
  const std::string dimensions =
      named ? fmt::format(R"({{"location":"global","model":"{}"}})", limit.models.front())
            : R"({"location":"global"})";
  return fmt::format(R"({{"quotaMetric":"generativelanguage.googleapis.com/{}","quotaId":"{}{}PerProject{}",)"
                     R"("quotaDimensions":{},"quotaValue":"{}"}})",
                     tokens ? "generate_content_paid_tier_input_token_count" : "generate_content_requests",
                     tokens ? "GenerateContentPaidTierInputTokensPer" : "GenerateRequestsPer", period,
                     one_model ? "PerModel" : "", dimensions, limit.amount);
}

}  // namespace

std::string refusal_body(const std::vector<const quota::LimitSpec*>& refused_by, Micros retry_after) {
  std::string violations;
  for (const quota::LimitSpec* limit : refused_by) {
    const std::string_view period = period_of(limit->window);
    if (period.empty()) continue;
    if (!violations.empty()) violations += ',';
    violations += violation_of(*limit, period);
  }
  std::string details =
      fmt::format(R"({{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"{:.6f}s"}})",
                  seconds(retry_after));
  if (!violations.empty()) {
    details = fmt::format(R"({{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{}]}},{})",
                          violations, details);
  }
  return fmt::format(R"({{"error":{{"code":429,"message":"You exceeded your current quota.",)"
                     R"("status":"RESOURCE_EXHAUSTED","details":[{}]}}}})",
                     details);
}

}  // namespace weir::simulation
