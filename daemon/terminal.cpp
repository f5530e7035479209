#include "daemon/terminal.hpp"

#include <array>
#include <cerrno>
#include <system_error>

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <fmt/format.h>

namespace weir::daemon {
namespace {

constexpr std::string_view kEnter =
    "\x1b[?1049h\x1b[?25l\x1b[?7l";  // alternate screen, no cursor, no wrapping
constexpr std::string_view kLeave = "\x1b[?7h\x1b[?25h\x1b[?1049l";
// Terminals that know it show all of an update at once; others ignore it.
constexpr std::string_view kBeginUpdate = "\x1b[?2026h";
constexpr std::string_view kEndUpdate = "\x1b[?2026l";

constexpr std::array kSignals = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP};

std::optional<Key> key_of(std::string_view sequence) {
  // After ESC: '[' as in "normal", 'O' as in "application" mode.
  struct Sequence {
    std::string_view text;
    Key key;
  };
  static constexpr std::array kSequences = {
      Sequence{"[A", Key::up},   Sequence{"OA", Key::up},       Sequence{"[B", Key::down},
      Sequence{"OB", Key::down}, Sequence{"[5~", Key::page_up}, Sequence{"[6~", Key::page_down},
      Sequence{"[H", Key::home}, Sequence{"OH", Key::home},     Sequence{"[1~", Key::home},
      Sequence{"[F", Key::end},  Sequence{"OF", Key::end},      Sequence{"[4~", Key::end}};
  for (const auto& [text, key] : kSequences) {
    if (text == sequence) return key;
  }
  return std::nullopt;
}

}  // namespace

std::vector<Key> read_keys(std::string_view bytes) {
  std::vector<Key> keys;
  while (!bytes.empty()) {
    std::size_t length = 1;
    std::optional<Key> key;
    switch (bytes.front()) {
      case '\x1b':
        if (bytes.size() > 1 && (bytes[1] == '[' || bytes[1] == 'O')) {
          length = 2;
          while (length < bytes.size() && (bytes[length] < '@' || bytes[length] > '~')) ++length;
          length = std::min(length + 1, bytes.size());
          key = key_of(bytes.substr(1, length - 1));
        }
        break;
      case 'q':
      case 'Q':
      case '\x03':  // Ctrl-C, where the terminal makes no signal of it
        key = Key::quit;
        break;
      case 'k':
        key = Key::up;
        break;
      case 'j':
        key = Key::down;
        break;
      case ' ':
        key = Key::page_down;
        break;
      case 'g':
        key = Key::home;
        break;
      case 'G':
        key = Key::end;
        break;
      default:
        break;
    }
    if (key) keys.push_back(*key);
    bytes.remove_prefix(length);
  }
  return keys;
}

std::string Screen::update(std::vector<std::string> lines) {
  std::string out;
  if (!shown_) out = "\x1b[H\x1b[2J";
  const std::size_t before = shown_ ? shown_->size() : 0;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i < before && (*shown_)[i] == lines[i]) continue;
    // Erased first: behind a line as wide as the terminal, the cursor stands on its last character.
    out += fmt::format("\x1b[{};1H\x1b[2K{}", i + 1, lines[i]);
  }
  if (lines.size() < before) out += fmt::format("\x1b[{};1H\x1b[J", lines.size() + 1);
  shown_ = std::move(lines);
  if (out.empty()) return out;
  return fmt::format("{}{}{}", kBeginUpdate, out, kEndUpdate);
}

Terminal::Terminal() {
  sigset_t ours;
  sigemptyset(&ours);
  for (const int signal : kSignals) sigaddset(&ours, signal);
  ::pthread_sigmask(SIG_BLOCK, &ours, &mask_before_);
  signals_ = ::signalfd(-1, &ours, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals_ < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
  termios now{};
  if (::tcgetattr(STDIN_FILENO, &now) == 0) before_ = now;
  enter();
}

Terminal::~Terminal() {
  leave();
  ::close(signals_);
  // What came while we left was meant for us: it must not end the process with another status.
  const timespec at_once{};
  sigset_t ours;
  sigemptyset(&ours);
  for (const int signal : kSignals) sigaddset(&ours, signal);
  while (::sigtimedwait(&ours, nullptr, &at_once) > 0) {
  }
  ::pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
}

void Terminal::enter() {
  if (before_) {
    termios raw = *before_;
    raw.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);  // ISIG stays: Ctrl-C and Ctrl-Z are signals
    raw.c_cc[VMIN] = 0;
    raw.c_cc[VTIME] = 0;
    ::tcsetattr(STDIN_FILENO, TCSANOW, &raw);
  }
  write(kEnter);
}

void Terminal::leave() {
  write(kLeave);
  if (before_) ::tcsetattr(STDIN_FILENO, TCSANOW, &*before_);
}

void Terminal::suspend() {
  leave();
  ::raise(SIGSTOP);
  enter();
}

Terminal::Size Terminal::size() {
  Size size;
  winsize told{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &told) != 0) return size;
  if (told.ws_col > 0) size.columns = told.ws_col;
  if (told.ws_row > 0) size.lines = told.ws_row;
  return size;
}

Terminal::Events Terminal::wait(std::chrono::milliseconds patience, int fd) {
  Events events;
  std::array<pollfd, 3> ready{pollfd{signals_, POLLIN, 0}, pollfd{before_ ? STDIN_FILENO : -1, POLLIN, 0},
                              pollfd{fd, POLLIN, 0}};
  ::poll(ready.data(), ready.size(), static_cast<int>(std::max<std::int64_t>(0, patience.count())));
  signalfd_siginfo signal{};
  while (::read(signals_, &signal, sizeof signal) == sizeof signal) {
    const int number = static_cast<int>(signal.ssi_signo);
    if (number == SIGWINCH) {
      events.resized = true;
    } else if (number == SIGTSTP) {
      suspend();
      events.resized = true;
    } else {
      events.ended_by = number;
    }
  }
  if (ready[1].revents != 0) {
    std::array<char, 256> bytes;
    const ssize_t got = ::read(STDIN_FILENO, bytes.data(), bytes.size());
    if (got > 0) events.keys = read_keys({bytes.data(), static_cast<std::size_t>(got)});
    if ((ready[1].revents & (POLLHUP | POLLERR)) != 0) events.ended_by = SIGHUP;  // the terminal is gone
  }
  events.ready = ready[2].revents != 0;
  return events;
}

void Terminal::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR) return;  // it is gone: the next wait says so
    if (written > 0) bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace weir::daemon
