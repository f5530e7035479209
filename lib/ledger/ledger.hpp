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

#include "ledger/journal.hpp"
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
  std::chrono::milliseconds close_within{2000};  // how long the end waits for the file to be closed
};

// Something that waits for its records: a connection with an answer ready.
class Waiter {
 public:
  virtual ~Waiter() = default;
  virtual void committed(Commit result) = 0;  // loop thread
};

// Runs a function when everything appended before Ledger::wait() has its result.
class OnCommit final : public Waiter {
 public:
  explicit OnCommit(std::function<void(Commit)> then) : then_(std::move(then)) {}
  void committed(Commit result) override { then_(result); }

 private:
  std::function<void(Commit)> then_;
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

class Ledger final : public Journal {
 public:
  using Post = std::function<void(std::function<void()>)>;  // runs its argument on the loop thread; any
                                                            // thread may call it

  // Opens or creates the file, migrates it, checks it. Throws OpenError.
  Ledger(const Options& options, Post post);
  // Commits what is queued, moves the log into the database, closes. Gives up after some three seconds and
  // `close_within`, or at the first failure; a file that is still being closed then is in use, and opens
  // again only when that is done. Calls no waiter; what was posted and runs later does nothing.
  ~Ledger() override;
  Ledger(const Ledger&) = delete;
  Ledger& operator=(const Ledger&) = delete;

  // Writing appends to the batch under way; all of one loop turn end in one transaction.
  NameId intern(std::string_view name) override;
  [[nodiscard]] std::string_view name(NameId id) const override;
  void append(const Admission& record) override;
  void append(const Outcome& record) override;
  void append(const TotalsDelta& delta) override;
  void append(Observation record) override;
  void append(IdempotencyKey record);
  void forget_observation(std::int64_t id) override;
  void append(Correction record) override;
  void append(DayZone record) override;
  void store_oldest_open(CallId id) override;
  void store_anchor(const Anchor& anchor);

  // Registers `waiter` for everything appended so far; its committed() runs once, later, on the loop thread.
  void wait(std::shared_ptr<Waiter> waiter);
  // Hands the batch to the writer if it is idle, else it goes when the writer is done.
  void flush() override;

  [[nodiscard]] Commit admission_outlook() const override;  // no lock
  [[nodiscard]] CallId decided_up_to() const override;
  void on_refused(std::function<void(const std::vector<CallId>&)> callback) override;
  void on_commit(std::function<void(Micros duration, std::size_t records)> callback) override;
  // Called on the loop thread with a sentence for the log when the disk begins to fail, when all is written
  // again, and when the file was deleted under us.
  void on_notice(std::function<void(const std::string& text)> callback);
  [[nodiscard]] Health health() const override;

  // Commits what is queued, then calls back; the graceful stop waits for it. Bounded: on a failing disk it
  // tries once more at once and calls back if that fails too.
  void drain(std::function<void()> done);

  // For a reader that must know what it reads: `begin` is called when everything appended so far, and nothing
  // later, is on its way (from here or later), `state` with true while the file holds exactly that: a Reader
  // that is pinned by it reads that. With false, perhaps without begin: the disk fails.
  void cut(std::function<void()> begin, std::function<void(bool)> state);

 private:
  class Core;
  std::shared_ptr<Core> core_;  // shared with what was posted
};

}  // namespace weir::ledger
