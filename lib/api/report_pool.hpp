// Runs reports beside the loop: a few threads, each with its own connection to the ledger. Bounded: past
// kMaxQueued reports are refused. Owned by the daemon; run() is for the loop thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>

#include "ledger/reader.hpp"

namespace weir::api {

class ReportPool {
 public:
  static constexpr std::size_t kThreads = 2;
  static constexpr std::size_t kMaxQueued = 64;

  ReportPool(boost::asio::io_context& loop, std::string ledger_path);
  ~ReportPool();  // waits for the reports under way

  // Runs `work` on a pool thread; what it returns is run on the loop thread. A failure to read (damaged file,
  // disk gone) is handed to `failed` there, as text. False: too many reports are queued, nothing will be
  // called.
  using Then = std::function<void()>;
  bool run(std::function<Then(ledger::Reader&)> work, std::function<void(const std::string&)> failed);
  // The same for work that needs no ledger, and so works while that cannot be read.
  bool run_without_ledger(std::function<Then()> work);

 private:
  struct Readers;
  boost::asio::io_context& loop_;
  std::unique_ptr<Readers> readers_;
  std::size_t queued_ = 0;  // loop thread
  boost::asio::thread_pool threads_;
};

}  // namespace weir::api
