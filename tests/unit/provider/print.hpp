// How a failed comparison shows what was read.
#pragma once

#include <optional>
#include <ostream>

#include "provider/error.hpp"
#include "quota/amounts.hpp"

namespace weir {

inline std::ostream& operator<<(std::ostream& out, const Usage& usage) {
  return out << "{input " << usage.input_tokens << " (cached " << usage.cached_input_tokens << "), output "
             << usage.output_tokens << ", thoughts " << usage.thoughts_tokens << ", tool use "
             << usage.tool_use_tokens << ", images " << usage.images << "}";
}

inline std::ostream& operator<<(std::ostream& out, const std::optional<Usage>& usage) {
  return usage ? out << *usage : out << "none";
}

inline std::ostream& operator<<(std::ostream& out, const std::optional<Micros>& duration) {
  return duration ? out << duration->count() << " us" : out << "none";
}

}  // namespace weir

namespace weir::provider {

inline std::ostream& operator<<(std::ostream& out, ErrorKind kind) {
  return out << to_string(kind);
}

inline std::ostream& operator<<(std::ostream& out, const QuotaViolation& violation) {
  out << "{" << violation.quota_id << ", " << violation.quota_metric << ", " << violation.model << ", "
      << to_string(violation.metric) << ", period " << static_cast<int>(violation.period)
      << (violation.free_tier ? ", free" : "");
  if (violation.amount) out << ", amount " << *violation.amount;
  if (violation.used) out << ", used " << *violation.used;
  return out << "}";
}

inline std::ostream& operator<<(std::ostream& out, const std::vector<QuotaViolation>& violations) {
  out << "[";
  for (const QuotaViolation& violation : violations) out << violation << " ";
  return out << "]";
}

}  // namespace weir::provider
