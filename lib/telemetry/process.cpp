#include "telemetry/process.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

#include "telemetry/text.hpp"

namespace weir::telemetry {
namespace {

void append(std::string& out, std::string_view name, std::string_view type, std::string_view help,
            double value) {
  out.append("# HELP ").append(name).append(" ").append(help);
  out.append("\n# TYPE ").append(name).append(" ").append(type);
  out.append("\n").append(name).append(" ");
  append_number(out, value);
  out += '\n';
}

std::optional<double> to_number(std::string_view text) {
  double value = 0;
  if (std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc()) return std::nullopt;
  return value;
}

// The fields of /proc/self/stat from the third on; the second, the program's name, may hold blanks and
// parentheses.
std::vector<std::string> stat_fields() {
  std::ifstream file("/proc/self/stat");
  std::string text;
  std::getline(file, text);
  std::vector<std::string> fields;
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return fields;
  for (std::size_t begin = name_end + 2; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    fields.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return fields;
}

std::optional<double> boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("btime ")) return to_number(std::string_view(line).substr(6));
  }
  return std::nullopt;
}

std::optional<double> open_fds() {
  std::error_code error;
  double count = -1;  // the one that reads the directory
  for (std::filesystem::directory_iterator at("/proc/self/fd", error), end; !error && at != end;
       at.increment(error)) {
    ++count;
  }
  if (error || count < 0) return std::nullopt;
  return count;
}

}  // namespace

void append_process_metrics(std::string& out) {
  // proc(5) numbers the fields of stat from 1; these begin at 3.
  const std::vector<std::string> stat = stat_fields();
  const auto field = [&](std::size_t number) -> std::optional<double> {
    if (number - 3 >= stat.size()) return std::nullopt;
    return to_number(stat[number - 3]);
  };
  const auto ticks = static_cast<double>(::sysconf(_SC_CLK_TCK));
  const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));

  if (field(14) && field(15)) {
    append(out, "process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.",
           (*field(14) + *field(15)) / ticks);
  }
  if (const auto fds = open_fds())
    append(out, "process_open_fds", "gauge", "Number of open file descriptors.", *fds);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    append(out, "process_max_fds", "gauge", "Maximum number of open file descriptors.",
           limit.rlim_cur == RLIM_INFINITY ? -1 : static_cast<double>(limit.rlim_cur));
  }
  if (field(23))
    append(out, "process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", *field(23));
  if (field(24))
    append(out, "process_resident_memory_bytes", "gauge", "Resident memory size in bytes.",
           *field(24) * page);
  if (const auto boot = boot_time(); boot && field(22)) {
    append(out, "process_start_time_seconds", "gauge",
           "Start time of the process since unix epoch in seconds.", *boot + *field(22) / ticks);
  }
}

}  // namespace weir::telemetry
