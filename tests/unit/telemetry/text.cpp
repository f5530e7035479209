#include "telemetry/text.hpp"

#include <cmath>
#include <limits>

#include <doctest/doctest.h>

using namespace weir::telemetry;

namespace {

std::string number(double value) {
  std::string out;
  append_number(out, value);
  return out;
}

std::string label_value(std::string_view text) {
  std::string out;
  append_label_value(out, text);
  return out;
}

std::string scaled(double factor, std::int64_t value) {
  std::string out;
  Scale(factor).append(out, value);
  return out;
}

}  // namespace

TEST_CASE("numbers are whole where they are whole, and shortest elsewhere") {
  CHECK(number(0) == "0");
  CHECK(number(-0.0) == "0");
  CHECK(number(1795000000) == "1795000000");
  CHECK(number(-3) == "-3");
  CHECK(number(0.1) == "0.1");
  CHECK(number(1795000000.123) == "1795000000.123");
  CHECK(number(1e300) == "1e+300");
  CHECK(number(std::numeric_limits<double>::infinity()) == "+Inf");
  CHECK(number(-std::numeric_limits<double>::infinity()) == "-Inf");
  CHECK(number(std::nan("")) == "NaN");
  CHECK(number(-std::nan("")) == "NaN");
}

TEST_CASE("label values and help texts are escaped, each in its own way") {
  CHECK(label_value("plain/text-1.5") == "plain/text-1.5");
  CHECK(label_value("a\"b\\c\nd") == R"(a\"b\\c\nd)");
  std::string help;
  append_help(help, "a\"b\\c\nd");
  CHECK(help == R"(a"b\\c\nd)");
}

TEST_CASE("what is not UTF-8 becomes U+FFFD and valid text stays") {
  const std::string bad = "\xEF\xBF\xBD";
  CHECK(label_value("h\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80") == "h\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80");
  CHECK(label_value("\xFF") == bad);
  CHECK(label_value("a\xC3") == "a" + bad);                         // cut short
  CHECK(label_value("\xC0\xAF") == bad + bad);                      // overlong
  CHECK(label_value("\xE0\x80\x80") == bad + bad + bad);            // overlong
  CHECK(label_value("\xED\xA0\x80") == bad + bad + bad);            // surrogate
  CHECK(label_value("\xF4\x90\x80\x80") == bad + bad + bad + bad);  // beyond U+10FFFF
  CHECK(label_value("\xC3\"") == bad + "\\\"");                     // the quote is not swallowed
}

TEST_CASE("scaling by a power of ten is exact over the whole range of counters") {
  CHECK(scaled(1, 42) == "42");
  CHECK(scaled(1e-9, 0) == "0");
  CHECK(scaled(1e-9, 1) == "0.000000001");
  CHECK(scaled(1e-9, 123'456) == "0.000123456");
  CHECK(scaled(1e-9, 1'500'000'000) == "1.5");
  CHECK(scaled(1e-9, -1'500'000'000) == "-1.5");
  CHECK(scaled(1e-9, -1) == "-0.000000001");
  CHECK(scaled(1e-6, 3) == "0.000003");
  CHECK(scaled(1e-9, std::numeric_limits<std::int64_t>::max()) == "9223372036.854775807");
  CHECK(scaled(1e-9, std::numeric_limits<std::int64_t>::min()) == "-9223372036.854775808");
  CHECK(scaled(2.5, 3) == "7.5");
  std::string out;
  Scale(1e-9).append(out, 123456.0);  // 123456 * 1e-9 would give 0.00012345600000000002
  CHECK(out == "0.000123456");
}
