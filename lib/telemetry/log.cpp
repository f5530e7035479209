#include "telemetry/log.hpp"

#include <chrono>
#include <cstdlib>
#include <memory>

#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "text/printable.hpp"
#include "time/rfc3339.hpp"

namespace weir::telemetry {
namespace {

// systemd sets JOURNAL_STREAM=device:inode of the journal's socket; stderr may have been sent elsewhere
// since.
bool stderr_is_journal() {
  const char* stream = std::getenv("JOURNAL_STREAM");
  struct stat target {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &target) != 0) return false;
  return fmt::format("{}:{}", target.st_dev, target.st_ino) == stream;
}

std::string_view to_view(spdlog::string_view_t text) {
  return {text.data(), text.size()};
}

class LineFormatter final : public spdlog::formatter {
 public:
  explicit LineFormatter(bool with_time) : with_time_(with_time) {}

  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    if (with_time_) {
      const std::string time = to_rfc3339(std::chrono::time_point_cast<Micros>(message.time));
      out.append(time.data(), time.data() + time.size());
      out.push_back(' ');
    }
    const std::string line =
        log_line(to_view(spdlog::level::to_string_view(message.level)), to_view(message.payload));
    out.append(line.data(), line.data() + line.size());
    out.push_back('\n');
  }

  [[nodiscard]] std::unique_ptr<spdlog::formatter> clone() const override {
    return std::make_unique<LineFormatter>(with_time_);
  }

 private:
  bool with_time_;
};

}  // namespace

std::string log_line(std::string_view level, std::string_view message) {
  std::string line;
  if (level != "info") line.append(level).append(": ");
  return line += printable(message);
}

bool set_up_log(std::string_view level) {
  const auto parsed = spdlog::level::from_str(std::string(level));  // "off" also for what it does not know
  if (parsed == spdlog::level::off && level != "off") return false;
  auto logger = std::make_shared<spdlog::logger>("weir", std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(std::make_unique<LineFormatter>(!stderr_is_journal()));
  logger->set_level(parsed);
  logger->flush_on(spdlog::level::trace);
  spdlog::set_default_logger(std::move(logger));
  return true;
}

}  // namespace weir::telemetry
