// How fast the ledger takes calls, and how fast reports and recovery read them.
//
//   ledger_bench DIRECTORY            rates for batches of 1, 10, 100 calls, with and without fsync
//   ledger_bench DIRECTORY N [KEYS]   fills a ledger with N calls over a year, then times start, recovery and
//   reports
//
// A call here is an admission, an outcome and an addition to the totals: three records.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <deque>
#include <filesystem>
#include <memory>
#include <semaphore>
#include <string>
#include <vector>

#include <sys/resource.h>

#include <fmt/format.h>

#include "ledger/ledger.hpp"
#include "ledger/reader.hpp"

namespace weir::ledger {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::int64_t kBegin = 1'763'000'000'000'000;  // a year before November 2026
constexpr std::int64_t kMinuteUs = 60'000'000;
constexpr std::int64_t kDayUs = 86'400'000'000;

double since(Clock::time_point begin) {
  return std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
}

double cpu_ms() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
         static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
}

double percentile(std::vector<double>& values, double p) {
  const auto at = static_cast<std::size_t>(p * static_cast<double>(values.size() - 1));
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(at), values.end());
  return values[at];
}

// One function at a time is posted, by the writer; the caller's thread plays the loop.
class Loop {
 public:
  Ledger::Post post() {
    return [this](std::function<void()> function) {
      function_ = std::move(function);
      posted_.release();
    };
  }
  void run_one() {
    posted_.acquire();
    const auto function = std::move(function_);
    function();
  }

 private:
  std::function<void()> function_;
  std::binary_semaphore posted_{0};
};

struct Done : Waiter {
  void committed(Commit) override { done = true; }
  bool done = false;
};

void append_call(Ledger& ledger, CallId id, Key key) {
  Admission a;
  a.id = id;
  a.key = key;
  a.lease_us = 120'000'000;
  a.held = {1, 1200, 800, 0, 90'000};
  a.local_day = static_cast<std::int32_t>(id / kDayUs);
  ledger.append(a);
  Outcome o;
  o.id = id;
  o.span_us = 1'820'000;
  o.settled_us = 1'830'000;
  o.latency_us = 1'820'000;
  o.status = 200;
  o.usage = {1234, 100, 456, 78, 0, 0};
  o.charged = {1, 1234, 534, 0, 123'456};
  o.cost = 123'456;
  o.fingerprint = static_cast<std::uint64_t>(id) * 0x9e3779b97f4a7c15U;
  ledger.append(o);
  TotalsDelta d;
  d.minute = id / kMinuteUs;
  d.local_day = a.local_day;
  d.key = key;
  d.totals.calls = 1;
  d.totals.usage = o.usage;
  d.totals.cost = o.cost;
  d.totals.charged = o.charged;
  ledger.append(d);
}

void rate(const std::string& directory, Durability durability, int batch, double for_ms) {
  const std::string path = directory + "/rate.db";
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) std::filesystem::remove(path + suffix);
  Loop loop;
  Options options;
  options.path = path;
  options.durability = durability;
  Ledger ledger(options, loop.post());
  std::vector<Key> keys;
  for (int i = 0; i < 20; ++i)
    keys.push_back({1, ledger.intern(fmt::format("model-{}", i)), ledger.intern("chat")});
  std::vector<double> turns;
  std::vector<double> commits;
  ledger.on_commit(
      [&](Micros duration, std::size_t) { commits.push_back(static_cast<double>(duration.count())); });
  CallId id = kBegin;
  std::size_t calls = 0;
  const auto begin = Clock::now();
  const double cpu = cpu_ms();
  while (since(begin) < for_ms) {
    const auto turn = Clock::now();
    for (int i = 0; i < batch; ++i, id += 50) {
      append_call(ledger, id, keys[static_cast<std::size_t>(id / 50) % keys.size()]);
    }
    auto waiter = std::make_shared<Done>();
    ledger.wait(waiter);
    ledger.flush();
    while (!waiter->done) loop.run_one();
    turns.push_back(since(turn) * 1e3);
    calls += static_cast<std::size_t>(batch);
  }
  const double took = since(begin);
  fmt::print(
      "{:8} batch {:4}: {:8.0f} calls/s ({:8.0f} rows/s)  cpu {:6.2f} us/call  commit p50 {:6.0f} p99 "
      "{:6.0f} p99.9 {:6.0f} max {:6.0f} us  "
      "answer p50 {:6.0f} p99 {:6.0f} max {:6.0f} us  log {:.0f} MB\n",
      durability == Durability::power ? "power" : "process", batch, static_cast<double>(calls) / took * 1e3,
      static_cast<double>(calls) / took * 2e3, (cpu_ms() - cpu) * 1e3 / static_cast<double>(calls),
      percentile(commits, 0.5), percentile(commits, 0.99), percentile(commits, 0.999), percentile(commits, 1),
      percentile(turns, 0.5), percentile(turns, 0.99), percentile(turns, 1),
      static_cast<double>(std::filesystem::file_size(path + "-wal")) / 1e6);
  std::fflush(stdout);
}

// CPU beside wall-clock time: the one that means something on a machine that others use, too.
template <typename Function>
void timed(const char* what, Function function) {
  double first = 0;
  double best = 1e9;
  double cpu = 1e9;
  std::size_t results = 0;
  for (int i = 0; i < 5; ++i) {
    const double cpu_begin = cpu_ms();
    const auto begin = Clock::now();
    results = function();
    const double ms = since(begin);
    cpu = std::min(cpu, cpu_ms() - cpu_begin);
    best = std::min(best, ms);
    if (i == 0) first = ms;
  }
  fmt::print("{:32} first {:8.2f} ms  best {:8.2f} ms  cpu {:8.2f} ms  ({} results)\n", what, first, best,
             cpu, results);
}

void year(const std::string& directory, std::int64_t calls, int key_count) {
  const std::string path = directory + "/year.db";
  const std::int64_t step = 365 * kDayUs / calls;
  if (!std::filesystem::exists(path)) {
    Loop loop;
    Options options;
    options.path = path;
    options.retention_days = 1000;
    Ledger ledger(options, loop.post());
    std::vector<Key> keys;
    for (int i = 0; i < key_count; ++i) {
      keys.push_back({ledger.intern(fmt::format("project-{}", i % 4)),
                      ledger.intern(fmt::format("model-{}", i / 4 % 10)),
                      ledger.intern(fmt::format("consumer-{}", i / 40))});
    }
    const auto begin = Clock::now();
    for (std::int64_t i = 0; i < calls;) {
      for (int n = 0; n < 1000 && i < calls; ++n, ++i) {
        append_call(ledger, kBegin + i * step, keys[static_cast<std::size_t>(i * 7919) % keys.size()]);
      }
      ledger.store_oldest_open(kBegin + i * step);
      auto waiter = std::make_shared<Done>();
      ledger.wait(waiter);
      ledger.flush();
      while (!waiter->done) loop.run_one();
    }
    fmt::print("filled in {:.1f} s\n", since(begin) / 1e3);
  }
  const CallId end = kBegin + calls * step;
  const auto wall = [](std::int64_t us) { return WallTime(Micros(us)); };
  timed("open for writing, close", [&] {
    Loop loop;
    Options options;
    options.path = path;
    options.retention_days = 1000;
    const Ledger ledger(options, loop.post());
    return std::size_t{1};
  });
  timed("open for reading", [&] { return Reader(path).names().size(); });
  Reader reader(path);
  const auto la = Zone::find("America/Los_Angeles").value();
  UsageQuery query;
  query.project_zone = [](std::string_view) { return Zone::utc(); };
  query.since = wall(kBegin + 3 * kDayUs / 2);
  query.until = wall(end - kDayUs / 3);
  timed("a year, none", [&] { return reader.usage(query).size(); });
  query.bucket = Bucket::day;
  timed("a year by day", [&] { return reader.usage(query).size(); });
  query.by_consumer = query.by_project = false;
  timed("a year by day and model", [&] { return reader.usage(query).size(); });
  query.since = wall(end - 30 * kDayUs);
  timed("30 days by day and model", [&] { return reader.usage(query).size(); });
  query.bucket = Bucket::hour;
  query.since = wall(end - kDayUs);
  timed("a day by hour and model", [&] { return reader.usage(query).size(); });
  query.bucket = Bucket::day;
  query.zone = la;
  query.since = wall(end - 30 * kDayUs);
  timed("30 days by day of another zone", [&] { return reader.usage(query).size(); });
  query.since = wall(kBegin);
  timed("a year by day of another zone", [&] { return reader.usage(query).size(); });
  timed("newest 100 calls", [&] { return reader.calls({}).calls.size(); });
  CallFilter filter;
  filter.status = 500;
  timed("a page without a match", [&] { return reader.calls(filter).calls.size(); });
  filter.until = wall(kBegin + 100 * kDayUs);
  filter.status.reset();
  timed("100 calls of long ago", [&] { return reader.calls(filter).calls.size(); });
  const std::int64_t now_minute = end / kMinuteUs;
  timed("recover a day of minutes", [&] {
    std::size_t n = 0;
    reader.sum_minutes(now_minute - 1440, now_minute, [&](const Key&, const Amounts&) { ++n; });
    return n;
  });
  timed("recover a day", [&] {
    std::size_t n = 0;
    reader.sum_days(1, static_cast<std::int32_t>(end / kDayUs) - 1,
                    static_cast<std::int32_t>(end / kDayUs) + 1, [&](const Key&, const Amounts&) { ++n; });
    return n;
  });
  timed("recover an hour of calls", [&] {
    std::size_t n = 0;
    reader.each_call(end - 60 * kMinuteUs, [&](const Call&) { ++n; });
    return n;
  });
  fmt::print("file {:.0f} MB\n", static_cast<double>(std::filesystem::file_size(path)) / 1e6);
}

}  // namespace
}  // namespace weir::ledger

int main(int argc, char** argv) {
  using namespace weir::ledger;
  if (argc < 2) {
    fmt::print(stderr, "usage: ledger_bench DIRECTORY [CALLS [KEYS]]\n");
    return 2;
  }
  if (argc > 2) {
    year(argv[1], std::atoll(argv[2]), argc > 3 ? std::atoi(argv[3]) : 200);
    return 0;
  }
  for (const Durability durability : {Durability::process, Durability::power}) {
    for (const int batch : {1, 10, 100, 1000}) rate(argv[1], durability, batch, 3000);
  }
}
