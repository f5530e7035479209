// The durable truth: one SQLite file in WAL mode, one writer thread that commits whatever has queued up
// (group commit).
//
// Thread rule: every function of Ledger is called by the loop thread; reports read through a Reader of their
// own. Callbacks are handed to `post`, which runs them on the loop thread.
//
// When the disk fails (full, gone, locked, damaged), nothing that was acknowledged is lost and nothing is
// written twice:
//   - every record but those of refused admissions is held in memory and tried again, after 0.25 s, then less
//   often, up to
//     every 2 s; waiters hear at once, `spooled` or `failed`, and never wait for the disk;
//   - with OnFailure::spool, up to `spool_calls` admissions are held too;
//   - with OnFailure::deny, or beyond that, the admissions of a batch are dropped, all or none of one loop
//   turn, and with
//     them what was appended for the same calls in that turn: outcomes, idempotency keys, totals that name
//     the call.
// Failing ends when all that was held is on disk. What is held when the process ends is lost: Health::backlog
// says how much.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/records.hpp"

namespace weir::ledger {

enum class Durability : std::uint8_t { process, power };  // power: fsync before every answer
enum class OnFailure : std::uint8_t { spool, deny };

struct Options {
  std::string path;
  Durability durability = Durability::process;
  OnFailure on_failure = OnFailure::spool;
  std::size_t spool_calls = 100'000;           // records held in memory while the disk fails
  int retention_days = 90;                     // of the calls' own time: the newest one counts as today
  std::chrono::milliseconds retry_first{250};  // after a failure; doubled up to
  std::chrono::milliseconds retry_last{2000};
};

// What became of the records that an answer waits for.
enum class Commit : std::uint8_t {
  durable,  // committed
  spooled,  // the disk fails; kept in memory and written as soon as it can be
  failed,   // the disk fails and the record was refused: take the charge back, answer 503
};

// Something that waits for its records: a connection with an answer ready.
class Waiter {
 public:
  virtual ~Waiter() = default;
  virtual void committed(Commit result) = 0;  // loop thread
};

// Cannot be used: newer schema, damaged, not a database, locked by another daemon, unwritable directory.
// what() says what is wrong and what to do, in words for an operator.
struct OpenError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The steady axis of an earlier run, to go on with it.
struct Anchor {
  std::string boot_id;         // of the kernel; "" = none stored
  std::int64_t offset_us = 0;  // steady axis minus CLOCK_BOOTTIME
};

struct Health {
  bool failing = false;
  std::string last_error;      // of the failing disk, naming the file; empty when fine
  std::size_t backlog = 0;     // records not yet committed
  std::uint64_t failures = 0;  // commits that failed, ever
  std::uint64_t commits = 0;
};

class Ledger {
 public:
  using Post = std::function<void(std::function<void()>)>;  // runs its argument on the loop thread; any
                                                            // thread may call it

  // Opens or creates the file, migrates it, checks it. Throws OpenError.
  Ledger(const Options& options, Post post);
  // Commits what is queued, moves the log into the database, closes. Gives up after some five seconds, or at
  // the first failure. Calls no waiter; what was posted and runs later does nothing.
  ~Ledger();
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // --- writing: appended to the batch under way; all of one loop turn end in one transaction ---
  NameId intern(std::string_view name);                  // same name, same id, for ever; from 1
  [[nodiscard]] std::string_view name(NameId id) const;  // "" if there is none; valid as long as the Ledger

  void append(const Admission& record);
  void append(const Outcome& record);
  void append(const TotalsDelta& delta);
  void append(IdempotencyKey record);
  void append(Observation record);
  void forget_observation(std::int64_t id);
  void store_anchor(const Anchor& anchor);
  // The oldest call that is still open: recovery looks for open calls from here on, and retention spares
  // them. Monotone.
  void store_oldest_open(CallId id);

  // Registers `waiter` for everything appended so far; its committed() runs once, later, on the loop thread.
  void wait(std::shared_ptr<Waiter> waiter);
  // Hands the batch to the writer if it is idle, else it goes when the writer is done; call at the end of
  // every loop turn that appended something. Cheap.
  void flush();

  // Commit::durable if the disk is fine; else what an admission appended now would get. Loop thread; no lock.
  [[nodiscard]] Commit admission_outlook() const;
  // Called on the loop thread with the ids of admissions whose record was refused (Commit::failed), before
  // their waiters.
  void on_refused(std::function<void(const std::vector<CallId>&)> callback);
  // Called on the loop thread after every commit with its duration (metrics).
  void on_commit(std::function<void(Micros duration, std::size_t records)> callback);
  // Called on the loop thread with a sentence for the log when the disk begins to fail, when all is written
  // again, and when the file was deleted under us.
  void on_notice(std::function<void(const std::string& text)> callback);
  [[nodiscard]] Health health() const;

  // Commits what is queued, then calls back; the graceful stop waits for it. Bounded: on a failing disk it
  // tries once more at once and calls back if that fails too.
  void drain(std::function<void()> done);

 private:
  class Core;
  std::shared_ptr<Core> core_;  // shared with what was posted
};

}  // namespace weir::ledger
