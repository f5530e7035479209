// The terminal while a full-screen view runs: raw input, the alternate screen, signals as events. At most one
// at a time.
//
// Why not ncurses: it would bring its own idea of windows and cells for a view that is a list of lines which
// `weir status` prints too, and golden tests of frames would need a terminal. What is needed of it is below,
// in some hundred lines.
#pragma once

#include <chrono>
#include <csignal>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <termios.h>

namespace weir::daemon {

enum class Key : std::uint8_t { quit, up, down, page_up, page_down, home, end };

// Keys in what a terminal sent; what is no key of ours is skipped. Pure.
std::vector<Key> read_keys(std::string_view bytes);

// What brings a terminal from one frame to the next: only lines that changed, in one synchronized update.
// Pure.
class Screen {
 public:
  // Lines fit the terminal, and are as many as it has or fewer.
  std::string update(std::vector<std::string> lines);
  // The next update draws everything: the terminal was resized, or somebody else wrote to it.
  void forget() { shown_.reset(); }

 private:
  std::optional<std::vector<std::string>> shown_;
};

class Terminal {
 public:
  Terminal();
  ~Terminal();  // leaves the terminal as it was
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  struct Size {
    std::size_t columns = 80, lines = 24;
  };
  static Size size();

  struct Events {
    std::vector<Key> keys;
    bool resized = false;
    int ended_by = 0;    // SIGINT, SIGQUIT, SIGTERM, SIGHUP; 0: none
    bool ready = false;  // `fd` is readable
  };
  // Until something happens, but not longer than `patience`. `fd`: -1, or what else to wait for.
  Events wait(std::chrono::milliseconds patience, int fd);
  void write(std::string_view bytes);

 private:
  void enter();
  void leave();
  void suspend();

  std::optional<termios> before_;  // of standard input, if it is a terminal
  sigset_t mask_before_{};
  int signals_ = -1;
};

}  // namespace weir::daemon
