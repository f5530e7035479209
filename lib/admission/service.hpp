// The service in the middle: admits calls, waits for room, settles, expires leases, and writes it all to the
// ledger.
//
// Owned by the daemon; loop thread only; no I/O of its own but through the ledger, no clock: `now` is passed
// in. What it appends to the ledger is committed before the caller answers (the caller waits on the ledger),
// so an answer leaves only when its record is durable.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "admission/directory.hpp"
#include "admission/estimates.hpp"
#include "admission/forecasts.hpp"
#include "admission/idempotency.hpp"
#include "admission/metrics.hpp"
#include "admission/observations.hpp"
#include "admission/open_calls.hpp"
#include "admission/settlement.hpp"
#include "admission/setup.hpp"
#include "admission/waiting_line.hpp"
#include "admission/witness.hpp"
#include "catalog/catalog.hpp"
#include "ledger/journal.hpp"
#include "ledger/reader.hpp"
#include "quota/book.hpp"

namespace weir::admission {

enum class Verdict : std::uint8_t {
  admitted,
  waiting,         // in line: `done` will be called
  denied,          // no room now; see violations
  timed_out,       // waited, and there was no room
  never_fits,      // wants more than a limit's whole amount
  too_many_open,   // Setup::max_open calls are open
  line_full,       // would wait, but Setup::max_waiting do already
  removed,         // waited, and its project is not configured any more
  ledger_failing,  // the disk fails and nothing may be admitted without it
};

// Valid during the call that gave it.
struct Answer {
  Verdict verdict = Verdict::denied;
  const OpenCall* call = nullptr;  // admitted
  const Lane* lane = nullptr;      // of the call; or whose limits refused it
  std::size_t place = 0;           // of that lane in the route
  std::span<const quota::Violation> violations{};
  SteadyTime retry_at{};  // refused: when all limits will have room, as far as is known now
  Micros waited{0};
  std::uint64_t ticket = 0;  // waiting
};

struct Ask {
  const Route* route = nullptr;
  Amounts want;
  Guess guess;                       // what stands in for parts of it that nobody stated
  std::optional<Priority> priority;  // default: the consumer's
  Micros lease{120'000'000};
  Micros wait{0};
};

enum class SettleVerdict : std::uint8_t {
  settled,
  repeated,      // the same again: `outcome` is the first one's
  contradicted,  // settled before with something else
  gone,          // cancelled, or nothing is left to correct
  not_open,      // not among the open calls: look it up in the ledger, then settle_closed()
};
struct Settled {
  SettleVerdict verdict = SettleVerdict::settled;
  const Lane* lane = nullptr;  // nullptr if its project is not configured any more
  ledger::Outcome outcome{};
};

class Recount;

class Service {
 public:
  Service(const Setup& setup, const catalog::Catalog& catalog, ledger::Journal& ledger,
          telemetry::Registry& registry);

  // Rebuilds everything from the ledger. Once, before the first request.
  void recover(ledger::Reader& reader, const Now& now);

  // nullptr: no such project or pool.
  const Route* route(std::string_view project, std::string_view model, std::string_view consumer,
                     const Now& now) {
    return directory_.route(project, model, consumer, now.wall);
  }
  // Decides now. With ask.wait > 0 and no room now but in time, the call goes in line (Verdict::waiting) and
  // `done` is called later, once.
  Answer admit(const Ask& ask, const Now& now, const std::function<void(const Answer&)>& done = {});
  // Leaves the line; its `done` is not called.
  void abandon(std::uint64_t ticket);

  // The daemon itself makes this call, and will settle or cancel it: its lease does not end while it runs.
  void keep(ledger::CallId id) { open_.find(id)->kept = true; }
  Settled settle(ledger::CallId id, const Settlement& settlement, const Now& now);
  // The same for a call that is closed already, as the ledger has it: a repetition, a contradiction, or the
  // late settlement of an expired call, which corrects its charge.
  Settled settle_closed(const ledger::Call& call, const Settlement& settlement, const Now& now);
  // The call was never sent. settled: done; repeated: it was done before; contradicted: it was settled; gone:
  // its project is not configured any more.
  SettleVerdict cancel(ledger::CallId id, const Now& now);
  SettleVerdict cancel_closed(const ledger::Call& call, const Now& now);
  // A call made without admission: charged even beyond the limits.
  Settled record(Lane& lane, WallTime at, const Amounts& estimate, const Settlement& settlement,
                 const Now& now);

  // Expires leases, lets waiting calls in or out, hands denials to the ledger. At least once a second, and at
  // next_event(). Of many leases that have ended it closes kExpireAtOnce, some 2 ms' work, and the next event
  // is due at once.
  static constexpr std::size_t kExpireAtOnce = 1000;
  void tick(const Now& now);
  [[nodiscard]] std::optional<SteadyTime> next_event() const {
    return due_.empty() ? line_.next_event() : SteadyTime();
  }
  // Called when calls in line may have room at another time than next_event() said before.
  void on_line_changed(std::function<void()> callback) { line_changed_ = std::move(callback); }
  // Ends all waiting at once (the daemon stops).
  void dismiss_waiting(const Now& now);

  void refresh_gauges(const Now& now);
  // Hears of every call from now on; nullptr: nobody does.
  void watch(Witness* witness) { witness_ = witness; }

  // --- a new configuration (reload.cpp) ---
  // Between these two the service remembers what it charges, for a Recount of the ledger as it is at the
  // first.
  void begin_recount();
  void drop_recount();
  // False: the recount cannot be used, too much was charged meanwhile, or a limit was learned. Count again.
  [[nodiscard]] bool recount_holds() const;
  // From here on everything is decided by `setup`, in the state that a restart would have found: with what
  // `counted`, a recount under `setup`, knows of earlier calls. Open calls stay open, also those of projects
  // that are gone; waiting ones are decided anew.
  void reload(const Setup& setup, const Recount& counted, const Now& now);

  // For reports; loop thread.
  Directory& directory() { return directory_; }
  quota::Book& book() { return book_; }
  Idempotency& idempotency() { return idempotency_; }
  Observations& observations() { return observations_; }
  Forecasts& forecasts() { return forecasts_; }
  [[nodiscard]] const Setup& setup() const { return setup_; }
  [[nodiscard]] const OpenCall* open_call(ledger::CallId id) { return open_.find(id); }
  [[nodiscard]] std::size_t open_calls() const { return open_.size(); }
  [[nodiscard]] const WaitingLine& line() const { return line_; }
  [[nodiscard]] std::size_t waiting() const { return line_.size(); }

 private:
  friend class Recovery;
  friend class Recount;

  // Why nobody is admitted now, whatever room the limits have; nullopt if that is not so. Whoever waits goes
  // on waiting.
  [[nodiscard]] std::optional<Verdict> shut() const;
  // What became of trying a route's lanes in order.
  struct Attempt {
    Lane* lane = nullptr;  // that admits; else the one that has room first: its violations are in violations_
    std::size_t place = 0;  // of it in the route
    SteadyTime room_at{};   // when it has, if nobody comes before; max(): never
    // When to ask again if nothing happens before; max(): what it waits for is somebody else's turn.
    SteadyTime again_at = SteadyTime::max();
    bool may_free = false;  // what stands in the way may go at any moment
    bool may_pass = false;  // there is room, but others wait for it: their order decides
  };
  // What became of a call in line. Told when the round is over: an answer may lead to the next request, a
  // settlement or a cancellation, which would else find the line half asked.
  struct Result {
    std::uint64_t ticket = 0;
    Answer answer{};  // its violations are those below
    std::vector<quota::Violation> violations{};
    std::function<void(const Answer&)> done{};  // empty: Service::admit, which is under way, takes it
  };
  // Holds the call on the first lane with room. `in_line`: it stands in line, and is asked in its turn. On
  // refusal the limits in the way, of all lanes, are in lacks_.
  bool try_route(const Route& route, const Amounts& want, const Guess& guess, bool in_line, const Now& now,
                 Attempt& attempt);
  // When a call would have room after those in line that come before it.
  SteadyTime room_behind_others(const Ask& ask, Priority priority, const Attempt& attempt, const Now& now);
  // What a call of this lane is charged at first: its estimates corrected, its cost at today's price.
  Amounts priced(Lane& lane, Amounts want, const Guess& guess, const Now& now);
  OpenCall* open(Lane& lane, const Amounts& held, const Guess& guess, Micros lease, Micros waited,
                 const Share& share, const Now& now);
  // The correction of estimates learns from a call's outcome.
  void teach(const OpenCall& call, const Settlement& settlement, const ledger::Outcome& outcome);
  ledger::CallId next_id(const Now& now);
  Answer refusal(Verdict verdict, Lane* lane, SteadyTime retry_at, Micros waited, const Now& now);
  Answer denial(const Attempt& attempt, SteadyTime retry_at, const Now& now);
  void count_denial(Lane& lane, bool timed_out);
  void tell_closed(const OpenCall& call, const ledger::Outcome& outcome);
  void charge(const Lane& lane, const Amounts& actual, const quota::Span& span, const Now& now);
  void close(const OpenCall& call, const ledger::Outcome& outcome, const Now& now);
  void correct(const ledger::Call& call, Lane* lane, const ledger::Outcome& outcome, const Now& now);
  void refused(const std::vector<ledger::CallId>& ids);
  void take_back(const Now& now);  // what recorded calls were charged whose record was refused
  // From now on each project's local days are cut in its zone of now: the ledger keeps since when.
  void keep_day_zones(const Now& now);
  // Recovery with an empty journal, which takes the ledger's names over.
  void count(ledger::Reader& reader, const Now& now);
  // Lets in whoever's turn it is, and out whose patience has ended, and tells them.
  void pump(const Now& now);
  // The first half of that: what became of them is in results_.
  void round(const Now& now);
  void tell_results();
  std::optional<Result> take_result(std::uint64_t ticket);
  void time_out(std::uint64_t ticket, const Attempt& attempt, const Now& now);
  void dismiss(std::uint64_t ticket, Verdict verdict, Lane* lane, SteadyTime retry_at, const Now& now);
  void expire(const Now& now);
  void tell_denials(const Now& now);

  struct Charge {
    ledger::Key key;
    Amounts actual;
    quota::Span span;
  };
  // What was charged since a recount began.
  static constexpr std::size_t kMaxCharges = 200'000;
  struct Charges {
    std::vector<Charge> all;
    std::uint64_t directory_revision = 0;
    bool too_many = false;
  };
  // A call that was recorded after the fact is never open; its record may still be refused.
  static constexpr std::size_t kMaxRecorded = 4096;  // the newest: more than a batch holds of them
  struct Recorded {
    ledger::CallId id;
    Charge charge;
  };

  Setup setup_;
  const catalog::Catalog& catalog_;
  ledger::Journal& ledger_;
  Metrics metrics_;
  quota::Book book_;
  Directory directory_;
  OpenCalls open_;
  WaitingLine line_;
  Idempotency idempotency_;
  Observations observations_;
  Estimates estimates_;
  Forecasts forecasts_;
  ledger::CallId last_id_ = 0;
  ledger::CallId told_oldest_ = 0;            // what the ledger was last told of the oldest open call
  std::vector<quota::Violation> violations_;  // of the lane that refused
  std::vector<quota::Violation> candidate_;   // of the lane being tried
  std::vector<quota::LimitId> lacks_;         // where the last attempt lacked room
  std::vector<Lane*> denied_lanes_;           // with denials not yet told
  std::vector<ledger::CallId> due_;           // their leases have ended; the oldest last
  std::deque<Result> results_;                // not yet told
  bool telling_ = false;
  std::optional<Charges> since_recount_;
  std::deque<Recorded> recorded_;
  std::vector<Charge> take_back_;                        // at the next tick
  std::map<ledger::NameId, ledger::DayZone> day_zones_;  // by project, as the ledger has them
  std::function<void()> line_changed_ = [] {};
  Witness* witness_ = nullptr;
};

}  // namespace weir::admission
