// The durable truth: one SQLite file in WAL mode, one writer thread that commits whatever has queued up (group commit).
//
// Thread rule: every function of Ledger is called by the loop thread, but for those of Reader, which is for one report thread
// each. Callbacks are handed to `post`, which runs them on the loop thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ledger/records.hpp"

namespace weir::ledger {

enum class Durability : std::uint8_t { process, power };   // power: fsync before every answer
enum class OnFailure : std::uint8_t { spool, deny };

struct Options {
  std::string path;
  Durability durability = Durability::process;
  OnFailure on_failure = OnFailure::spool;
  std::size_t spool_calls = 100'000;  // records held in memory while the disk fails
  int retention_days = 90;
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

// Cannot be used: newer schema, damaged, not a database, locked by another daemon, unwritable directory. what() says what
// is wrong and what to do, in words for an operator.
struct OpenError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// The steady axis of an earlier run, to go on with it.
struct Anchor {
  std::string boot_id;        // of the kernel; "" = none stored
  std::int64_t offset_us = 0; // steady axis minus CLOCK_BOOTTIME
};

struct Health {
  bool failing = false;
  std::string last_error;        // of the failing disk; empty when fine
  std::size_t backlog = 0;       // records not yet committed
  std::uint64_t failures = 0;    // commits that failed, ever
  std::uint64_t commits = 0;
};

class Ledger {
 public:
  using Post = std::function<void(std::function<void()>)>;  // runs its argument on the loop thread; any thread may call it

  // Opens or creates the file, migrates it, checks it. Throws OpenError.
  Ledger(const Options& options, Post post);
  ~Ledger();  // commits what is queued (bounded wait), checkpoints, closes

  // --- writing: appended to the batch under way, in order; all of one loop turn end in one transaction ---
  // (see ledger.cpp for how a batch becomes a transaction)
  NameId intern(std::string_view name);  // same name, same id, for ever
  [[nodiscard]] std::string_view name(NameId id) const;

  void append(const Admission& record);
  void append(const Outcome& record);
  void append(const TotalsDelta& delta);
  void append(IdempotencyKey record);
  void append(Observation record);
  void forget_observation(std::int64_t id);
  void store_anchor(const Anchor& anchor);
  // The oldest call that is still open: recovery looks for open calls from here on. Monotone.
  void store_oldest_open(CallId id);

  // Registers `waiter` for everything appended so far; its committed() runs once, later, on the loop thread.
  void wait(std::shared_ptr<Waiter> waiter);
  // Hands the batch to the writer if it is idle; call at the end of every loop turn that appended something. Cheap.
  void flush();

  // Commit::durable if the disk is fine; else what an admission would get now. Loop thread; no lock.
  [[nodiscard]] Commit admission_outlook() const;
  // Called on the loop thread with the ids of admissions whose record was refused (Commit::failed), before their waiters.
  void on_refused(std::function<void(const std::vector<CallId>&)> callback);
  // Called on the loop thread after every commit with its duration (metrics).
  void on_commit(std::function<void(Micros duration, std::size_t records)> callback);
  [[nodiscard]] Health health() const;

  // Commits what is queued, then calls back; the graceful stop waits for it.
  void drain(std::function<void()> done);
};

}  // namespace weir::ledger
