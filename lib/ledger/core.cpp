#include "ledger/core.hpp"

#include <algorithm>

#include <fmt/format.h>

namespace weir::ledger {
namespace {

// A held batch takes no more once it has as many records: what was gathered in an hour does not become one
// transaction.
constexpr std::size_t kHeldRecords = 4096;
constexpr std::chrono::seconds kFarewell{3};  // to write what is queued, when the process ends

}  // namespace

Ledger::Core::Core(const Options& options, Post post)
    : options_(options),
      post_(std::move(post)),
      lock_(std::make_unique<FileLock>(options.path)),
      store_(std::make_unique<Store>(options.path, options.durability)) {}

void Ledger::Core::start() {
  next_sequence_ = (store_->last_batch() / 2 + 1) * 2;
  decided_ = store_->newest();
  auto names = store_->names();
  for (const auto& [id, name] : names) {
    names_.resize(std::max<std::size_t>(names_.size(), static_cast<std::size_t>(id)));
    names_[static_cast<std::size_t>(id) - 1] = name;
  }
  for (std::size_t i = 0; i < names_.size(); ++i) ids_.emplace(names_[i], static_cast<NameId>(i + 1));
  writer_ = Writer::start(options_, std::move(lock_), std::move(store_), std::move(names),
                          [post = post_, weak = weak_from_this()] {
                            post([weak] {
                              if (const auto core = weak.lock()) core->collect();
                            });
                          });
}

void Ledger::Core::close() {
  closed_ = true;
  const auto deadline = Writer::Clock::now() + kFarewell;
  writer_->hurry();
  const auto written = [&] {
    const auto result = writer_->collect_by(deadline);
    return result && result->committed;
  };
  bool going = !writing_ || written();
  if (gathering_->records() > 0) held_.push_back(std::move(gathering_));
  for (auto& batch : held_) {
    if (!going) break;
    submit(std::move(batch));
    going = written();
  }
  writer_->stop(options_.close_within);
}

NameId Ledger::Core::intern(std::string_view name) {
  if (const auto found = ids_.find(name); found != ids_.end()) return found->second;
  const std::string& kept = names_.emplace_back(name);
  const auto id = static_cast<NameId>(names_.size());
  ids_.emplace(kept, id);
  gathering_->names.emplace_back(id, kept);
  return id;
}

std::string_view Ledger::Core::name(NameId id) const {
  if (id < 1 || static_cast<std::size_t>(id) > names_.size()) return {};
  return names_[static_cast<std::size_t>(id) - 1];
}

void Ledger::Core::submit(std::unique_ptr<Batch> batch, std::chrono::milliseconds pause) {
  if (batch->sequence == 0) batch->sequence = std::exchange(next_sequence_, next_sequence_ + 2);
  writing_ = true;
  writing_records_ = batch->records();
  writer_->submit(std::move(batch), pause);
}

void Ledger::Core::submit_gathered() {
  for (const Cut& cut : gathering_->cuts) cut.begin();
  std::unique_ptr<Batch> next = spare_ ? std::move(spare_) : std::make_unique<Batch>();
  submit(std::exchange(gathering_, std::move(next)));
}

void Ledger::Core::flush() {
  if (gathering_->empty()) return;
  if (failing_) {
    give_later(hold_gathered());
  } else if (writing_) {
    wanted_ = true;
  } else {
    // A batch of waiters alone also takes this way: rare, and it keeps one order for all answers.
    submit_gathered();
  }
}

void Ledger::Core::collect() {
  if (closed_) return;
  std::optional<WriteResult> result = writer_->collect();
  if (!result) return;
  writing_ = false;
  result->committed ? committed(std::move(*result)) : failed(std::move(*result));
}

void Ledger::Core::committed(WriteResult result) {
  std::unique_ptr<Batch> batch = std::move(result.batch);
  const std::size_t records = batch->records();
  if (records > 0) ++commits_;
  decided(batch->newest_admission());
  bool recovered = false;
  if (failing_) {
    spooled_ -= std::min(spooled_, batch->admissions.size());
    if (!held_.empty()) {
      submit(std::move(held_.front()));
      held_.pop_front();
    } else {
      recovered = true;
      failing_ = false;
      spooled_ = 0;
      last_error_.clear();
    }
  }
  for (const Cut& cut : batch->cuts) cut.state(true);
  // The writer gets on with what came in meanwhile, before the answers take their time; what nobody wants
  // written yet goes on gathering.
  const bool wanted = std::exchange(wanted_, false);
  if (!failing_ && (wanted || recovered)) flush();
  if (!result.notice.empty()) notice(result.notice);
  if (recovered) notice(fmt::format("{}: the ledger is written again; nothing is held back", options_.path));
  if (on_commit && records > 0) on_commit(result.duration, records);
  for (const auto& waiter : batch->waiters) waiter->committed(Commit::durable);
  for (const auto& done : batch->drained) done();
  if (recovered) finish_drains();
  batch->clear();
  if (!spare_) spare_ = std::move(batch);
}

void Ledger::Core::failed(WriteResult result) {
  std::unique_ptr<Batch> batch = std::move(result.batch);
  ++failures_;
  ++batch->attempts;
  last_error_ = result.error;
  std::move(batch->drained.begin(), batch->drained.end(), std::back_inserter(drains_));
  batch->drained.clear();
  no_cuts(*batch);
  if (failing_) {
    pause_ = std::min(pause_ * 2, options_.retry_last);
    submit(std::move(batch), pause_);
    finish_drains();
    return;
  }
  failing_ = true;
  pause_ = options_.retry_first;
  Answer answer = judge(*batch);
  Answer later = hold_gathered();
  // Whoever drains waits for one more attempt, not for a pause.
  submit(std::move(batch), drains_.empty() ? pause_ : std::chrono::milliseconds{});
  notice(fmt::format("{}: {}",
                     options_.on_failure == OnFailure::spool
                         ? "the ledger cannot be written; calls are held in memory"
                         : "the ledger cannot be written; calls are refused",
                     last_error_));
  give(answer);
  give(later);
}

Ledger::Core::Answer Ledger::Core::judge(Batch& batch) {
  Answer answer{.newest = batch.newest_admission()};
  const bool room = options_.on_failure == OnFailure::spool && spooled_ < options_.spool_calls &&
                    spooled_ + batch.admissions.size() <= options_.spool_calls;
  if (room) {
    answer.commit = Commit::spooled;
    spooled_ += batch.admissions.size();
  } else {
    answer.commit = Commit::failed;
    batch.refuse_admissions();
    answer.refused = batch.refusal.calls;
  }
  answer.waiters = std::move(batch.waiters);
  batch.waiters.clear();
  return answer;
}

Ledger::Core::Answer Ledger::Core::hold_gathered() {
  Answer answer = judge(*gathering_);
  std::move(gathering_->drained.begin(), gathering_->drained.end(), std::back_inserter(drains_));
  no_cuts(*gathering_);
  if (gathering_->records() > 0) {
    if (held_.empty() || held_.back()->records() >= kHeldRecords) held_.push_back(std::make_unique<Batch>());
    Batch& last = *held_.back();
    last.absorb(*gathering_);
    if (last.records() >= kHeldRecords)
      compact(last.totals);  // denials alone take one record per key and minute
  }
  gathering_->clear();
  return answer;
}

void Ledger::Core::give(Answer& answer) {
  if (!answer.refused.empty() && on_refused) on_refused(answer.refused);
  decided(answer.newest);
  for (const auto& waiter : answer.waiters) waiter->committed(answer.commit);
}

void Ledger::Core::give_later(Answer answer) {
  if (answer.refused.empty() && answer.waiters.empty()) return give(answer);
  post_([weak = weak_from_this(), shared = std::make_shared<Answer>(std::move(answer))] {
    if (const auto core = weak.lock(); core && !core->closed_) core->give(*shared);
  });
}

Commit Ledger::Core::admission_outlook() const {
  if (!failing_) return Commit::durable;
  const bool room = options_.on_failure == OnFailure::spool &&
                    spooled_ + gathering_->admissions.size() < options_.spool_calls;
  return room ? Commit::spooled : Commit::failed;
}

Health Ledger::Core::health() const {
  Health health;
  health.failing = failing_;
  health.last_error = last_error_;
  health.backlog = gathering_->records() + (writing_ ? writing_records_ : 0);
  for (const auto& batch : held_) health.backlog += batch->records();
  health.failures = failures_;
  health.commits = commits_;
  return health;
}

void Ledger::Core::drain(std::function<void()> done) {
  if (failing_) {
    flush();
    drains_.push_back(std::move(done));
    writer_->hurry();
    return;
  }
  gathering_->drained.push_back(std::move(done));
  flush();
}

void Ledger::Core::cut(Cut cut) {
  gathering_->cuts.push_back(std::move(cut));
  flush();
}

// The disk fails: what the file holds is not what was appended.
void Ledger::Core::no_cuts(Batch& batch) {
  for (Cut& cut : batch.cuts) {
    post_([weak = weak_from_this(), state = std::move(cut.state)] {
      if (const auto core = weak.lock(); core && !core->closed_) state(false);
    });
  }
  batch.cuts.clear();
}

void Ledger::Core::finish_drains() {
  const std::vector<std::function<void()>> drains = std::exchange(drains_, {});
  for (const auto& done : drains) done();
}

void Ledger::Core::notice(const std::string& text) const {
  if (on_notice) on_notice(text);
}

}  // namespace weir::ledger
