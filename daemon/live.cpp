#include "daemon/live.hpp"

#include <algorithm>
#include <csignal>

#include "daemon/background_fetch.hpp"
#include "daemon/terminal.hpp"
#include "daemon/text/human.hpp"

namespace weir::daemon {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

// Countdowns tick this often without anything new.
constexpr auto kTick = std::chrono::seconds(1);
// For the daemon's answer; meanwhile the view lives on.
constexpr auto kPatience = std::chrono::seconds(5);

class LiveView {
 public:
  LiveView(Client client, ClientRequest request, milliseconds interval, const Draw& draw, Frame frame)
      : client_(std::move(client)),
        request_(std::move(request)),
        interval_(interval),
        draw_(draw),
        frame_(std::move(frame)) {
    answered();
  }

  int run() {
    resize();
    next_ask_ = Clock::now() + interval_;
    next_draw_ = Clock::now();
    for (;;) {
      const auto now = Clock::now();
      if (!fetch_ && now >= next_ask_) {
        fetch_.emplace(client_, request_);
        next_ask_ = now + interval_;
      }
      if (now >= next_draw_) draw(now);
      const auto until = fetch_ ? next_draw_ : std::min(next_draw_, next_ask_);
      const auto patience = std::chrono::ceil<milliseconds>(std::max(until - now, Clock::duration::zero()));
      const Terminal::Events events = terminal_.wait(patience, fetch_ ? fetch_->ready_fd() : -1);
      if (events.ended_by != 0) return events.ended_by == SIGINT ? kDone : 128 + events.ended_by;
      if (std::find(events.keys.begin(), events.keys.end(), Key::quit) != events.keys.end()) return kDone;
      if (events.ready) take();
      if (events.resized) resize();
      for (const Key key : events.keys) scroll(key);
      // What the user does shows at once, what the daemon says at most twice a second.
      if (events.resized || !events.keys.empty()) next_draw_ = Clock::now();
    }
  }

 private:
  void answered() {
    answered_ = Clock::now();
    answered_at_ = frame_.now;
    frame_.trouble.clear();
  }

  void take() {
    auto result = fetch_->wait(milliseconds(0));
    fetch_.reset();
    if (!result) return;
    if (result->trouble.empty()) {
      frame_.quota = std::move(result->body);
      frame_.now = time_at(frame_.quota, "as_of").value_or(frame_.now);
      answered();
    } else {
      frame_.trouble = std::move(result->trouble);
    }
    next_draw_ = std::min(next_draw_, std::max(Clock::now(), drawn_ + kShortestInterval));
  }

  void resize() {
    const Terminal::Size size = Terminal::size();
    frame_.columns = size.columns;
    frame_.lines = size.lines;
    screen_.forget();
  }

  void scroll(Key key) {
    const std::size_t last = rows_ > visible_ ? rows_ - visible_ : 0;
    const std::size_t page = std::max<std::size_t>(1, visible_);
    switch (key) {
      case Key::up:
        frame_.first -= std::min<std::size_t>(frame_.first, 1);
        break;
      case Key::down:
        frame_.first += 1;
        break;
      case Key::page_up:
        frame_.first -= std::min(frame_.first, page);
        break;
      case Key::page_down:
        frame_.first += page;
        break;
      case Key::home:
        frame_.first = 0;
        break;
      case Key::end:
        frame_.first = last;
        break;
      case Key::quit:
        break;
    }
    frame_.first = std::min(frame_.first, last);
  }

  void draw(Clock::time_point now) {
    frame_.age = std::chrono::floor<std::chrono::seconds>(now - answered_);
    frame_.now = answered_at_ + std::chrono::duration_cast<Micros>(now - answered_);
    Drawn drawn = draw_(frame_);
    rows_ = drawn.rows;
    visible_ = drawn.visible;
    terminal_.write(screen_.update(std::move(drawn.lines)));
    drawn_ = now;
    next_draw_ = now + kTick;
  }

  Client client_;
  ClientRequest request_;
  milliseconds interval_;
  const Draw& draw_;
  Frame frame_;
  Clock::time_point answered_, next_ask_, next_draw_, drawn_;
  WallTime answered_at_;
  std::size_t rows_ = 0, visible_ = 0;
  std::optional<BackgroundFetch> fetch_;
  Screen screen_;
  Terminal terminal_;
};

}  // namespace

Frame first_frame(nlohmann::json quota, const Shell& shell) {
  Frame frame{.quota = std::move(quota), .now = {}, .age = {}, .trouble = {}};
  frame.now = time_at(frame.quota, "as_of").value_or(shell.now());
  return frame;
}

int run_live(const Client& client, const ClientRequest& request, milliseconds interval, const Draw& draw,
             const Shell& shell) {
  Client own = client;
  ClientRequest patient = request;
  patient.patience = kPatience;
  Frame frame = first_frame(fetch(own, patient), shell);
  return LiveView(std::move(own), std::move(patient), interval, draw, std::move(frame)).run();
}

}  // namespace weir::daemon
