#include "api/report_pool.hpp"

#include <mutex>
#include <vector>

#include <boost/asio/post.hpp>

namespace weir::api {

// Connections not in use, shared by the pool's threads; opened when first needed.
struct ReportPool::Readers {
  explicit Readers(std::string ledger_path) : path(std::move(ledger_path)) {}

  std::unique_ptr<ledger::Reader> take() {
    {
      const std::lock_guard lock(mutex);
      if (!idle.empty()) {
        auto reader = std::move(idle.back());
        idle.pop_back();
        return reader;
      }
    }
    return std::make_unique<ledger::Reader>(path);
  }
  void give_back(std::unique_ptr<ledger::Reader> reader) {
    const std::lock_guard lock(mutex);
    idle.push_back(std::move(reader));
  }

  const std::string path;
  std::mutex mutex;
  std::vector<std::unique_ptr<ledger::Reader>> idle;
};

ReportPool::ReportPool(boost::asio::io_context& loop, std::string ledger_path)
    : loop_(loop), readers_(std::make_unique<Readers>(std::move(ledger_path))), threads_(kThreads) {}

ReportPool::~ReportPool() {
  threads_.join();
}

bool ReportPool::run(std::function<Then(ledger::Reader&)> work,
                     std::function<void(const std::string&)> failed) {
  return run_without_ledger([this, work = std::move(work), failed = std::move(failed)]() -> Then {
    try {
      auto reader = readers_->take();
      Then then = work(*reader);
      readers_->give_back(std::move(reader));  // one that threw is closed instead: its file may be gone
      return then;
    } catch (const std::exception& error) {
      return [failed, text = std::string(error.what())] { failed(text); };
    }
  });
}

bool ReportPool::run_without_ledger(std::function<Then()> work) {
  if (queued_ >= kMaxQueued) return false;
  ++queued_;
  boost::asio::post(threads_, [this, work = std::move(work)]() mutable {
    Then then = work();
    // What the work holds (an exchange, say) belongs to the loop thread, and must end there.
    boost::asio::post(loop_, [this, then = std::move(then), work = std::move(work)] {
      --queued_;
      then();
    });
  });
  return true;
}

}  // namespace weir::api
