#include "quota/amount_text.hpp"

#include <charconv>

namespace weir {

void append_int(std::string& out, std::int64_t value) {
  char text[20];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  out.append(text, static_cast<std::size_t>(end - text));
}

void append_seconds(std::string& out, Micros duration) {
  const std::int64_t ms = (duration.count() + (duration.count() < 0 ? -500 : 500)) / 1000;
  if (ms < 0) out += '-';
  const std::int64_t size = ms < 0 ? -ms : ms;
  append_int(out, size / 1000);
  out += '.';
  const auto rest = static_cast<int>(size % 1000);
  out += static_cast<char>('0' + rest / 100);
  if (rest % 100 == 0) return;
  out += static_cast<char>('0' + rest / 10 % 10);
  if (rest % 10 != 0) out += static_cast<char>('0' + rest % 10);
}

void append_usd(std::string& out, NanoUsd amount) {
  const std::int64_t micros = (amount + (amount < 0 ? -500 : 500)) / 1000;
  if (micros < 0) out += '-';
  const std::int64_t size = micros < 0 ? -micros : micros;
  append_int(out, size / 1'000'000);
  out += '.';
  for (std::int64_t unit = 100'000; unit > 0; unit /= 10) out += static_cast<char>('0' + size / unit % 10);
}

void append_amount(std::string& out, Metric metric, std::int64_t amount) {
  if (metric == Metric::cost_usd) {
    append_usd(out, amount);
  } else {
    append_int(out, amount);
  }
}

}  // namespace weir
