// A small service on a ledger: admits, settles what was admitted, records calls after the fact, and remembers
// what it told its callers.
#pragma once

#include <set>
#include <utility>

#include "model.hpp"

namespace weir::ledger {

inline Options options(const std::string& path, OnFailure on_failure,
                       Durability durability = Durability::process) {
  Options options;
  options.path = path;
  options.on_failure = on_failure;
  options.durability = durability;
  options.retry_first = std::chrono::milliseconds(1);
  options.retry_last = std::chrono::milliseconds(2);
  return options;
}

class Service {
 public:
  explicit Service(const Options& options)
      : path_(options.path), ledger_(std::make_unique<Ledger>(options, loop_.post())) {
    ledger_->on_refused([this](const std::vector<CallId>& ids) { refused_.insert(ids.begin(), ids.end()); });
    key_ = {ledger_->intern("default"), ledger_->intern("gemini-2.5-flash"), ledger_->intern("chat")};
  }

  void turn() {
    const CallId id = next_id_;
    next_id_ += 20'000'000;  // three turns a minute
    const Admission a = admission(id, key_);
    ledger_->append(a);
    ledger_->append(IdempotencyKey{1, static_cast<std::uint64_t>(id), 2, id});
    // A call recorded after the fact: all of it stands or falls.
    const Admission recorded = admission(id + 1, key_);
    const Outcome recorded_outcome = outcome(id + 1, 7);
    TotalsDelta recorded_delta = delta(recorded, recorded_outcome);
    recorded_delta.call = id + 1;
    ledger_->append(recorded);
    ledger_->append(recorded_outcome);
    ledger_->append(recorded_delta);
    // Settlements of earlier calls are never refused.
    const std::vector<Admission> settled = std::exchange(open_, {});
    for (const Admission& earlier : settled) {
      Outcome o = outcome(earlier.id);
      ledger_->append(o);
      ledger_->append(delta(earlier, o));
      model_.add(o);
    }
    auto waiter = std::make_shared<RecordingWaiter>();
    ledger_->wait(waiter);
    ledger_->flush();
    REQUIRE(loop_.run_until([&] { return waiter->called(); }));
    REQUIRE(waiter->results.size() == 1);
    const bool failed = waiter->results[0] == Commit::failed;
    CHECK(refused_.contains(id) == failed);
    CHECK(refused_.contains(id + 1) == failed);
    if (failed) return;
    model_.add(a);
    model_.add(recorded);
    model_.add(recorded_outcome);
    open_.push_back(a);
  }

  void recover() {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    REQUIRE(loop_.run_until(
        [&] { return !ledger_->health().failing || std::chrono::steady_clock::now() > deadline; }));
    CHECK(ledger_->health().last_error.empty());
    CHECK(ledger_->health().backlog == 0);
  }
  void close() { ledger_.reset(); }

  Ledger& ledger() { return *ledger_; }
  Loop& loop() { return loop_; }
  [[nodiscard]] const Model& model() const { return model_; }
  [[nodiscard]] std::size_t refused() const { return refused_.size(); }

 private:
  const std::string path_;
  Loop loop_;
  std::unique_ptr<Ledger> ledger_;
  Key key_;
  CallId next_id_ = kEpochUs;
  std::vector<Admission> open_;
  std::set<CallId> refused_;
  Model model_;
};

}  // namespace weir::ledger
