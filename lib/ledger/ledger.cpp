#include "ledger/ledger.hpp"

#include "ledger/core.hpp"

// How a batch becomes a transaction: append() fills vectors of the batch being gathered; flush() gives it to
// the writer if that is idle; else it goes on gathering until the writer is done, and goes then. So a batch
// is what came in during the commit before it: one call under light load, hundreds under heavy load, with two
// wake-ups per batch and no timer. Rejected: a fixed flush interval (5 to 50 ms on every answer, for the same
// throughput), and a queue per record (a lock and, mostly, a wake-up for each).

namespace weir::ledger {

Ledger::Ledger(const Options& options, Post post) : core_(std::make_shared<Core>(options, std::move(post))) {
  try {
    core_->start();
  } catch (const sqlite::Error& error) {
    throw OpenError(explain(options.path, error));
  }
}

Ledger::~Ledger() {
  core_->close();
}

NameId Ledger::intern(std::string_view name) {
  return core_->intern(name);
}

std::string_view Ledger::name(NameId id) const {
  return core_->name(id);
}

void Ledger::append(const Admission& record) {
  core_->gathering().admissions.push_back(record);
}

void Ledger::append(const Outcome& record) {
  core_->gathering().outcomes.push_back(record);
}

void Ledger::append(const TotalsDelta& delta) {
  core_->gathering().totals.push_back(delta);
}

void Ledger::append(IdempotencyKey record) {
  core_->gathering().idempotency_keys.push_back(std::move(record));
}

void Ledger::append(Observation record) {
  core_->gathering().observations.push_back({.forget = false, .observation = std::move(record)});
}

void Ledger::forget_observation(std::int64_t id) {
  ObservationChange change{.forget = true, .observation = {}};
  change.observation.id = id;
  core_->gathering().observations.push_back(std::move(change));
}

void Ledger::append(DayZone record) {
  core_->gathering().day_zones.push_back(std::move(record));
}

void Ledger::append(Correction record) {
  core_->gathering().corrections.push_back(std::move(record));
}

void Ledger::store_anchor(const Anchor& anchor) {
  core_->gathering().anchor = anchor;
}

void Ledger::store_oldest_open(CallId id) {
  core_->gathering().oldest_open = id;
}

void Ledger::wait(std::shared_ptr<Waiter> waiter) {
  core_->gathering().waiters.push_back(std::move(waiter));
}

void Ledger::flush() {
  core_->flush();
}

Commit Ledger::admission_outlook() const {
  return core_->admission_outlook();
}

CallId Ledger::decided_up_to() const {
  return core_->decided_up_to();
}

void Ledger::on_refused(std::function<void(const std::vector<CallId>&)> callback) {
  core_->on_refused = std::move(callback);
}

void Ledger::on_commit(std::function<void(Micros duration, std::size_t records)> callback) {
  core_->on_commit = std::move(callback);
}

void Ledger::on_notice(std::function<void(const std::string& text)> callback) {
  core_->on_notice = std::move(callback);
}

Health Ledger::health() const {
  return core_->health();
}

void Ledger::drain(std::function<void()> done) {
  core_->drain(std::move(done));
}

void Ledger::cut(std::function<void()> begin, std::function<void(bool)> state) {
  core_->cut({std::move(begin), std::move(state)});
}

}  // namespace weir::ledger
