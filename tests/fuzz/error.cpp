// What an upstream's refusal says. The first byte: its status, 200 to 599 in steps, or 0.
#include "provider/error.hpp"

#include "fuzz.hpp"

namespace weir::fuzz {
namespace {

constexpr int kStatuses[] = {0, 200, 400, 401, 403, 404, 429, 500, 503, 529};
constexpr std::string_view kRetryAfter[] = {"", "7", "0.5", "-1", "Wed, 21 Oct 2026 07:28:00 GMT", "1e9"};

}  // namespace

void run(std::string_view input) {
  const unsigned first = take_byte(input);
  const auto error = provider::error_of(kStatuses[first % 10], input, kRetryAfter[first / 10 % 6]);
  if (!error) return;
  expect(error->code.size() <= 64 && error->reason.size() <= 64 && error->message.size() <= 500,
         "texts are as short as promised");
  expect(error->violations.size() <= 16, "there are at most 16 violations");
  for (const provider::QuotaViolation& violation : error->violations) {
    expect(violation.amount.value_or(0) >= 0 && violation.used.value_or(0) >= 0, "no amount is negative");
  }
  expect(error->retry_after.value_or(Micros{0}).count() >= 0, "no pause is negative");
}

}  // namespace weir::fuzz
