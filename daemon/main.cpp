#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string_view>

#include <sys/ioctl.h>
#include <unistd.h>

#include "daemon/program.hpp"
#include "daemon/serve.hpp"

namespace {

using namespace weir;  // NOLINT: this file is where everything meets

// Whether the terminal shows more than ASCII.
bool utf8_locale() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* value = std::getenv(name);
    if (value == nullptr || *value == '\0') continue;
    const std::string_view locale(value);
    return locale.find("UTF-8") != std::string_view::npos || locale.find("utf8") != std::string_view::npos;
  }
  return false;
}

daemon::Look look_of_terminal(bool terminal, const daemon::Environment& environment) {
  daemon::Look look;
  look.unicode = utf8_locale();
  if (!terminal) return look;
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) look.width = size.ws_col;
  const char* type = std::getenv("TERM");
  look.colour = !environment.no_color && (type == nullptr || std::string_view(type) != "dumb");
  return look;
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  const auto environment = daemon::Environment::of_process();
  daemon::Shell shell{
      environment, std::cout, std::cerr, terminal, look_of_terminal(terminal, environment), [] {
        return std::chrono::time_point_cast<Micros>(std::chrono::system_clock::now());
      }};
  const int code = daemon::run_program({argv + 1, argv + argc}, shell, daemon::serve);
  std::cout.flush();
  if (!std::cout && code == daemon::kDone) {
    std::cerr << "weir: cannot write to standard output: " << std::strerror(errno) << '\n';
    return daemon::kFailed;
  }
  return code;
}
