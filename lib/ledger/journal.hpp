// What the admission service writes and asks of its ledger, and nothing more: the seam at which virtual time
// takes the place of a disk. The daemon's is Ledger; a simulation's is NullJournal. What only the daemon
// needs (waiting for a commit, draining, the anchor of its clock) is not here.
//
// Thread rule: the loop thread only.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/records.hpp"

namespace weir::ledger {

// What became of the records that an answer waits for.
enum class Commit : std::uint8_t {
  durable,  // committed
  spooled,  // the disk fails; kept in memory and written as soon as it can be
  failed,   // the disk fails and the record was refused: take the charge back, answer 503
};

struct Health {
  bool failing = false;
  std::string last_error;      // of the failing disk, naming the file; empty when fine
  std::size_t backlog = 0;     // records not yet committed
  std::uint64_t failures = 0;  // commits that failed, ever
  std::uint64_t commits = 0;
};

class Journal {
 public:
  virtual ~Journal() = default;

  virtual NameId intern(std::string_view name) = 0;  // same name, same id, for ever; from 1
  // "" if there is none; valid as long as the journal.
  [[nodiscard]] virtual std::string_view name(NameId id) const = 0;

  virtual void append(const Admission& record) = 0;
  virtual void append(const Outcome& record) = 0;
  virtual void append(const TotalsDelta& delta) = 0;
  virtual void append(Observation record) = 0;
  virtual void forget_observation(std::int64_t id) = 0;
  virtual void append(Correction record) = 0;
  virtual void append(DayZone record) = 0;
  // The oldest call that is still open: recovery looks for open calls from here on, and retention spares
  // them. Monotone.
  virtual void store_oldest_open(CallId id) = 0;
  // Lets what was appended go its way; call at the end of every loop turn that appended something. Cheap.
  virtual void flush() = 0;

  // Commit::durable if all is fine; else what an admission appended now would get.
  [[nodiscard]] virtual Commit admission_outlook() const = 0;
  // The newest admission of which it is known what became: it and all before it are committed, spooled, or
  // refused, with on_refused called. Ids are appended in ascending order.
  [[nodiscard]] virtual CallId decided_up_to() const = 0;
  // Called with the ids of admissions whose record was refused (Commit::failed), before those who wait for
  // them hear of it.
  virtual void on_refused(std::function<void(const std::vector<CallId>&)> callback) = 0;
  // Called after every commit with its duration (metrics).
  virtual void on_commit(std::function<void(Micros duration, std::size_t records)> callback) = 0;
  [[nodiscard]] virtual Health health() const = 0;
};

}  // namespace weir::ledger
