#include "telemetry/process.hpp"

#include <chrono>
#include <fstream>
#include <optional>

#include <doctest/doctest.h>

namespace {

std::optional<double> value_of(const std::string& text, const std::string& name) {
  const std::size_t at = text.find("\n" + name + " ");
  if (at == std::string::npos) return std::nullopt;
  return std::stod(text.substr(at + name.size() + 2));
}

}  // namespace

TEST_CASE("the process's metrics are all there and make sense") {
  std::string text;
  weir::telemetry::append_process_metrics(text);
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  CHECK(value_of(text, "process_cpu_seconds_total") >= 0.0);
  CHECK(value_of(text, "process_resident_memory_bytes") > 100'000.0);
  CHECK(value_of(text, "process_virtual_memory_bytes") > value_of(text, "process_resident_memory_bytes"));
  CHECK(value_of(text, "process_open_fds") >= 1.0);
  CHECK(value_of(text, "process_max_fds").has_value());
  // Boot time and clock disagree by a little; a test process is at most a day old.
  CHECK(value_of(text, "process_start_time_seconds") < now + 60);
  CHECK(value_of(text, "process_start_time_seconds") > now - 86'400);
}

TEST_CASE("an open file shows in the number of open files") {
  std::string before;
  weir::telemetry::append_process_metrics(before);
  const std::ifstream file("/proc/self/stat");
  std::string after;
  weir::telemetry::append_process_metrics(after);
  CHECK(value_of(after, "process_open_fds").value() == value_of(before, "process_open_fds").value() + 1);
}
