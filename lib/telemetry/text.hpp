// Pieces of Prometheus' text format 0.0.4. Pure functions; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir::telemetry {

// HELP text: backslash and line feed escaped. Label values: the double quote too; bytes that are not UTF-8
// become U+FFFD.
void append_help(std::string& out, std::string_view text);
void append_label_value(std::string& out, std::string_view text);

// Whole numbers below 1e15 without point or exponent, others the shortest text that reads back the same; NaN,
// +Inf, -Inf.
void append_number(std::string& out, double value);
void append_number(std::string& out, std::int64_t value);

// Multiplies by a constant; exact for powers of ten: 123456 at 1e-9 is 0.000123456, not
// 0.00012345600000000002.
class Scale {
 public:
  explicit Scale(double factor = 1);
  void append(std::string& out, std::int64_t value) const;
  void append(std::string& out, double value) const;

 private:
  double factor_;
  int decimals_ = 0;          // 0 to 18: factor_ is 10^-decimals_; -1: any other factor
  std::int64_t divisor_ = 1;  // 10^decimals_
};

}  // namespace weir::telemetry
