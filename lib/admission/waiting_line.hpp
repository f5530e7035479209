// Calls that wait for room, and the order in which they get it. Owned by the service; loop thread only;
// bounded.
//
// Order: by priority; within one priority the consumer that has got least of the contended quotas so far,
// by weight (a virtual token counter); within one consumer who came first. Calls of one route and priority
// form a *flow*, so that a round looks at flows, not at every call.
//   - Counters: what is admitted while somebody lacks room is charged to its consumer, as the largest share
//     of a contended limit that it takes, divided by the consumer's weight; the settlement corrects it. Who
//     returns from idle starts at what the consumer served last had: idleness earns nothing. Counted per
//     project and priority. Uncontended calls cost nothing and are not counted.
//   - Ageing: a flow that kTurns calls of higher priority went past has one turn before them.
//   - Bypass: a call that lacks room may be overtaken kMaxOvertakes times by later ones that need less; then
//     nobody passes on the limits that it waits for. Within one flow only the first kLook calls may try.
//
// The line holds no timers: the service asks it when something was freed, and when next_event() is due.
// Rejected: one queue in order of arrival (one consumer's batch starves all others), and shares by time
// slices (wastes what a consumer does not use).
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <tuple>
#include <vector>

#include <boost/unordered/unordered_flat_map.hpp>

#include "admission/directory.hpp"
#include "admission/estimates.hpp"
#include "quota/book.hpp"

namespace weir::admission {

struct Answer;
struct Flow;

// One consumer of one project, in one priority.
struct Tenant {
  struct Domain {
    std::int64_t served = 0;  // the counter of the tenant that was served last: where newcomers start
    std::int64_t base = 0;    // the same at the begin of the round
  };
  Domain* domain = nullptr;
  double weight = 1;
  std::int64_t counter = 0;  // billionths of a contended limit, divided by the weight
  std::size_t waiting = 0;
};

// What an admitted call was charged in its tenant's counter; nothing if nobody lacked room.
struct Share {
  Tenant* tenant = nullptr;
  quota::LimitId limit = 0;
  std::int64_t amount = 0;  // of the limit, in its metric's unit
};

struct WaitingCall {
  std::uint64_t ticket = 0;
  Amounts want;  // as priced when it came; tried anew with its guess
  Guess guess{};
  Micros lease{0};
  SteadyTime since;
  SteadyTime deadline;  // its patience
  std::function<void(const Answer&)> done{};
  Flow* flow = nullptr;
  int overtaken = 0;
};

// Calls of one route and priority, first come first served.
struct Flow {
  const Route* route = nullptr;
  Priority priority = Priority::normal;
  Tenant* tenant = nullptr;
  std::list<WaitingCall> calls;
  std::vector<quota::LimitId> lacks;  // where its first call lacks room
  Amounts wants{0, 0, 0, 0, 0};       // of all its calls
  int passed_over = 0;                // calls of higher priority that went past
  // Of the round under way.
  std::size_t tried = 0;  // calls at its front that lack room
  std::uint64_t entry = 0;
};

class WaitingLine {
 public:
  static constexpr int kTurns = 8;
  static constexpr int kMaxOvertakes = 8;
  static constexpr std::size_t kLook = 4;

  WaitingLine(std::size_t capacity, quota::Book& book) : capacity_(capacity), book_(&book) {}

  [[nodiscard]] bool empty() const { return by_ticket_.empty(); }
  [[nodiscard]] std::size_t size() const { return by_ticket_.size(); }
  [[nodiscard]] bool full() const { return size() >= capacity_; }

  // Returns its ticket: the one that it has, or a new one.
  std::uint64_t push(const Route& route, Priority priority, double weight, WaitingCall call);
  [[nodiscard]] WaitingCall* find(std::uint64_t ticket);
  // Takes it out; nullopt if it is not in line (any more).
  std::optional<WaitingCall> remove(std::uint64_t ticket);

  // Everybody leaves, to be pushed again: in the order of their coming, with the routes and priorities that
  // they had. Shares are forgotten.
  struct Left {
    const Route* route = nullptr;
    Priority priority = Priority::normal;
    WaitingCall call;
  };
  [[nodiscard]] std::vector<Left> disband(std::size_t capacity);

  // Somebody left without having been admitted: those behind may have their turn at once.
  void look_again() {
    if (!in_round_) next_room_ = SteadyTime{};
  }

  // The call, not yet part of a round, lacks room on `lacks`, and may have some at `room_at`.
  void lack(WaitingCall& call, const std::vector<quota::LimitId>& lacks, SteadyTime room_at);

  // A round: next() gives the calls to try, in their order; each is followed by admitted(), stuck(), or a
  // remove(). nullptr ends it.
  void begin_round();
  WaitingCall* next();
  // Ends it though some were not asked, since nobody may be admitted: until the next round all limits count
  // as lacking, so that nobody passes those who were not asked.
  void break_off();
  // `lacks`: the limits without room, or where it may not pass. `room_at`: when it may have some.
  void stuck(WaitingCall& call, const std::vector<quota::LimitId>& lacks, SteadyTime room_at);
  // Takes it out of the line.
  WaitingCall admitted(WaitingCall& call, const Lane& lane);
  // Whether one that lacks room there may not be passed any more.
  [[nodiscard]] bool blocks(const std::vector<quota::LimitId>& limits) const { return blocked_.any(limits); }
  [[nodiscard]] bool blocks(quota::LimitId limit) const { return blocked_.contains(limit); }

  // Whether somebody in line lacks room on one of them, or may, as of the last round.
  [[nodiscard]] bool lacks(const std::vector<quota::LimitId>& limits) const;
  // Charges an admitted call in its tenant's counter if it took of what others wait for. Before admitted()
  // takes it out.
  Share charge(Flow& flow, const Lane& lane, const Amounts& held);
  // The settlement: what it really took.
  void correct(const Share& share, const Amounts& actual);

  // What calls of the flow of (route, priority) would find before them on `limit`, by priority and fair
  // shares as they stand.
  [[nodiscard]] std::int64_t ahead(const Route& route, Priority priority, const Lane& lane,
                                   quota::LimitId limit) const;
  // Calls that wait for room on each limit, by LimitId.
  void count_waiting(std::vector<std::size_t>& by_limit) const;
  // Calls of a project's routes and priority that wait.
  [[nodiscard]] std::size_t waiting(const Project& project, Priority priority) const;

  // The calls whose patience has ended by `now`.
  void overdue(SteadyTime now, std::vector<std::uint64_t>& tickets) const;
  [[nodiscard]] std::vector<std::uint64_t> tickets() const;  // in the order in which they came
  // When the first patience ends or somebody may have room; nullopt if nobody waits.
  [[nodiscard]] std::optional<SteadyTime> next_event() const;

 private:
  using FlowKey = std::pair<const Route*, Priority>;
  using Key = std::tuple<int, std::int64_t, std::uint64_t>;  // priority, counter, ticket
  struct Entry {
    Key key;
    Flow* flow;
    std::uint64_t number;
    bool operator>(const Entry& other) const { return key > other.key; }
  };
  struct Overtakable {
    std::uint64_t ticket;
    std::vector<quota::LimitId> lacks;
  };
  // Limits, marked until the next round.
  class Marks {
   public:
    void clear() { ++round_; }
    void mark(quota::LimitId limit);
    [[nodiscard]] bool any(const std::vector<quota::LimitId>& limits) const;
    [[nodiscard]] bool contains(quota::LimitId limit) const {
      return limit < round_of_.size() && round_of_[limit] == round_;
    }

   private:
    std::vector<std::uint64_t> round_of_;
    std::uint64_t round_ = 1;
  };

  Tenant& tenant(const Route& route, Priority priority, double weight);
  [[nodiscard]] static Key key(const Flow& flow, const WaitingCall& call);
  void offer(Flow& flow);
  void end_round();
  WaitingCall* candidate(Flow& flow);
  void went_past(const Lane& lane, Priority priority);

  std::size_t capacity_;
  quota::Book* book_;
  std::map<FlowKey, Flow> flows_;
  std::map<std::tuple<const Project*, ledger::NameId, Priority>, Tenant> tenants_;
  std::map<std::pair<const Project*, Priority>, Tenant::Domain> domains_;
  boost::unordered_flat_map<std::uint64_t, std::list<WaitingCall>::iterator> by_ticket_;
  std::set<std::pair<SteadyTime, std::uint64_t>> by_deadline_;
  std::uint64_t last_ticket_ = 0;

  // Of the round under way, and the marks of the last one.
  bool in_round_ = false;
  bool broken_off_ = false;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> round_;
  std::uint64_t last_entry_ = 0;
  std::vector<Overtakable> overtakable_;
  Marks lacking_;
  Marks lacked_;  // of the round before
  Marks blocked_;
  SteadyTime next_room_ = SteadyTime::max();
};

}  // namespace weir::admission
