// The loop thread's half of the ledger: gathers batches, hands them to the writer one at a time, and decides
// what becomes of them while the disk fails.
//
// Three places hold records, oldest first: the batch with the writer, those held while the disk fails, the
// one being gathered. Loop thread only.
#pragma once

#include <algorithm>
#include <deque>
#include <unordered_map>

#include "ledger/file.hpp"
#include "ledger/writer.hpp"

namespace weir::ledger {

class Ledger::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(const Options& options, Post post);  // throws OpenError
  void start();                             // once it is shared
  void close();

  NameId intern(std::string_view name);
  [[nodiscard]] std::string_view name(NameId id) const;
  Batch& gathering() { return *gathering_; }
  void flush();
  [[nodiscard]] Commit admission_outlook() const;
  [[nodiscard]] CallId decided_up_to() const { return decided_; }
  [[nodiscard]] Health health() const;
  void drain(std::function<void()> done);
  void cut(Cut cut);

  std::function<void(const std::vector<CallId>&)> on_refused;
  std::function<void(Micros, std::size_t)> on_commit;
  std::function<void(const std::string&)> on_notice;

 private:
  // What callers are told about a batch that is not written yet.
  struct Answer {
    Commit commit = Commit::durable;
    CallId newest = 0;  // admission
    std::vector<CallId> refused{};
    std::vector<std::shared_ptr<Waiter>> waiters{};
  };

  void submit(std::unique_ptr<Batch> batch, std::chrono::milliseconds pause = {});
  void submit_gathered();
  void collect();  // what the writer has finished
  void committed(WriteResult result);
  void failed(WriteResult result);

  // The policy for a batch that cannot be written now; takes what it refuses out of the batch.
  Answer judge(Batch& batch);
  // Judges the batch being gathered and moves what is kept behind the others that are held.
  Answer hold_gathered();
  void decided(CallId newest) { decided_ = std::max(decided_, newest); }
  void give(Answer& answer);
  void give_later(Answer answer);
  void finish_drains();
  void no_cuts(Batch& batch);
  void notice(const std::string& text) const;

  const Options options_;
  const Post post_;
  // Until start(): from then on the writer's.
  std::unique_ptr<FileLock> lock_;
  std::unique_ptr<Store> store_;
  std::shared_ptr<Writer> writer_;
  bool closed_ = false;

  std::deque<std::string> names_;  // [id - 1]; a deque, because views of its strings are the keys below
  std::unordered_map<std::string_view, NameId> ids_;

  std::unique_ptr<Batch> gathering_ = std::make_unique<Batch>();
  std::unique_ptr<Batch> spare_ = std::make_unique<Batch>();  // null while the writer has a batch
  std::deque<std::unique_ptr<Batch>> held_;
  bool writing_ = false;  // the writer has a batch
  bool wanted_ = false;   // flush() was asked for meanwhile
  std::size_t writing_records_ = 0;
  std::int64_t next_sequence_ = 0;
  CallId decided_ = 0;

  bool failing_ = false;
  std::size_t spooled_ = 0;  // admissions acknowledged while failing and not yet written
  std::chrono::milliseconds pause_{0};
  std::string last_error_;
  std::uint64_t failures_ = 0;
  std::uint64_t commits_ = 0;
  std::vector<std::function<void()>> drains_;  // while failing
};

}  // namespace weir::ledger
