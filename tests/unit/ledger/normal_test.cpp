// The ledger on a disk that works.
#include <doctest/doctest.h>

#include "service.hpp"

namespace weir::ledger {
namespace {

struct Running {
  TempDirectory directory;
  Loop loop;
  Options opts = options(directory.file(), OnFailure::spool);
  std::unique_ptr<Ledger> ledger = std::make_unique<Ledger>(opts, loop.post());

  // Commits what was appended.
  void commit() {
    auto waiter = std::make_shared<RecordingWaiter>();
    ledger->wait(waiter);
    ledger->flush();
    CHECK_FALSE(waiter->called());
    REQUIRE(loop.run_until([&] { return waiter->called(); }));
    CHECK(waiter->results == std::vector{Commit::durable});
  }
  void restart() {
    ledger.reset();
    ledger = std::make_unique<Ledger>(opts, loop.post());
  }
};

TEST_CASE("an admission and its outcome read back as they were written") {
  Running r;
  const Key key{r.ledger->intern("default"), r.ledger->intern("gemini-2.5-flash"), r.ledger->intern("chat")};
  Admission a = admission(kEpochUs, key);
  a.skew_us = -5;
  a.waited_us = 17;
  Outcome o = outcome(kEpochUs);
  o.estimated = true;
  o.straddles = true;
  r.ledger->append(a);
  r.ledger->append(o);
  r.ledger->append(delta(a, o));
  r.commit();
  Reader reader(r.directory.file());
  const auto call = reader.call(kEpochUs);
  REQUIRE(call);
  CHECK(call->admission == a);
  CHECK(call->closed);
  CHECK(call->outcome == o);
  CHECK_FALSE(reader.call(kEpochUs + 1));
}

TEST_CASE("a late settlement replaces the outcome") {
  Running r;
  r.ledger->append(admission(kEpochUs));
  Outcome o = outcome(kEpochUs);
  o.state = State::expired;
  o.straddles = true;
  r.ledger->append(o);
  r.commit();
  r.ledger->append(outcome(kEpochUs, 99));
  r.commit();
  Reader reader(r.directory.file());
  CHECK(reader.call(kEpochUs)->outcome == outcome(kEpochUs, 99));
  int straddlers = 0;
  reader.each_straddler(SteadyTime{}, [&](const Call&) { ++straddlers; });
  CHECK(straddlers == 0);
}

TEST_CASE("a name keeps its id, also over a restart") {
  Running r;
  const NameId id = r.ledger->intern("gemini-2.5-flash");
  CHECK(r.ledger->intern("other") != id);
  CHECK(r.ledger->intern("gemini-2.5-flash") == id);
  r.commit();
  r.restart();
  CHECK(r.ledger->intern("gemini-2.5-flash") == id);
  CHECK(r.ledger->name(id) == "gemini-2.5-flash");
  CHECK(r.ledger->name(99).empty());
  CHECK(Reader(r.directory.file()).name(id) == "gemini-2.5-flash");
}

TEST_CASE("records appended during a commit go together in the next, and answers keep their order") {
  Running r;
  std::vector<std::size_t> commits;
  r.ledger->on_commit([&](Micros, std::size_t records) { commits.push_back(records); });
  std::vector<int> order;
  struct Noting : Waiter {
    Noting(std::vector<int>& o, int i) : order(o), n(i) {}
    void committed(Commit) override { order.push_back(n); }
    std::vector<int>& order;
    int n;
  };
  for (int i = 0; i < 10; ++i) {
    r.ledger->append(admission(kEpochUs + i));
    r.ledger->wait(std::make_shared<Noting>(order, i));
    r.ledger->flush();
  }
  CHECK(order.empty());
  REQUIRE(r.loop.run_until([&] { return order.size() == 10; }));
  CHECK(commits == std::vector<std::size_t>{1, 9});
  CHECK(order == std::vector{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(r.ledger->health().backlog == 0);
  CHECK(r.ledger->health().commits == 2);
}

TEST_CASE("what nobody asks to be written goes on gathering when the batch before it is done") {
  Running r;
  auto waiter = std::make_shared<RecordingWaiter>();
  r.ledger->append(admission(kEpochUs));
  r.ledger->wait(waiter);
  r.ledger->flush();
  r.ledger->append(outcome(kEpochUs));
  REQUIRE(r.loop.run_until([&] { return waiter->called(); }));
  CHECK(r.ledger->health().commits == 1);
  CHECK(r.ledger->health().backlog == 1);
  r.ledger->append(admission(kEpochUs + 1));
  r.ledger->flush();
  r.commit();
  CHECK(r.ledger->health().commits == 2);
  CHECK(Reader(r.directory.file()).call(kEpochUs)->closed);
}

TEST_CASE("a waiter without a record of its own waits for those before it") {
  Running r;
  r.ledger->append(admission(kEpochUs));
  r.ledger->flush();
  r.commit();
  CHECK(Reader(r.directory.file()).last_id() == kEpochUs);
}

TEST_CASE("a waiter may append, wait and flush from within its answer") {
  Running r;
  struct Chain : Waiter {
    Chain(Ledger& l, int n) : ledger(l), left(n) {}
    void committed(Commit) override {
      if (left == 0) {
        done = true;
        return;
      }
      next = std::make_shared<Chain>(ledger, left - 1);
      ledger.append(admission(kEpochUs + left));
      ledger.wait(next);
      ledger.flush();
    }
    bool finished() const { return done || (next && next->finished()); }
    Ledger& ledger;
    int left;
    bool done = false;
    std::shared_ptr<Chain> next;
  };
  auto chain = std::make_shared<Chain>(*r.ledger, 5);
  r.ledger->wait(chain);
  r.ledger->flush();
  REQUIRE(r.loop.run_until([&] { return chain->finished(); }));
  CHECK(Reader(r.directory.file()).last_id() == kEpochUs + 5);
}

TEST_CASE("what was queued when the ledger ends is written, and its waiters are not called") {
  Running r;
  auto waiter = std::make_shared<RecordingWaiter>();
  for (int i = 0; i < 3; ++i) {
    r.ledger->append(admission(kEpochUs + i));
    r.ledger->wait(waiter);
    r.ledger->flush();
  }
  r.ledger->append(admission(kEpochUs + 3));
  r.ledger.reset();
  CHECK_FALSE(waiter->called());
  CHECK_FALSE(std::filesystem::exists(r.directory.file() + "-wal"));  // all of it is in the database
  CHECK(Reader(r.directory.file()).last_id() == kEpochUs + 3);
}

TEST_CASE("anchor, oldest open call, observations and idempotency keys are there for the next start") {
  Running r;
  Reader reader(r.directory.file());
  CHECK(reader.anchor().boot_id.empty());
  CHECK(reader.oldest_open() == 0);
  CHECK(reader.last_id() == 0);
  r.ledger->store_anchor({"boot-1", -17});
  r.ledger->store_oldest_open(kEpochUs);
  const Observation o{3,
                      1,
                      "gemini-2.5-flash",
                      "gemini-2.5-flash/requests/day",
                      "exhausted",
                      20,
                      17,
                      WallTime(Micros(kEpochUs)),
                      WallTime(Micros(kEpochUs - 2)),
                      WallTime(Micros(kEpochUs - 1)),
                      R"({"quotaValue":"20"})"};
  r.ledger->append(o);
  Observation forgotten = o;
  forgotten.id = 4;
  r.ledger->append(forgotten);
  r.ledger->forget_observation(4);
  const IdempotencyKey key{0xffffffffffffffffU, 2, 0x8000000000000000U, kEpochUs};
  r.ledger->append(key);
  r.commit();
  CHECK(reader.anchor().boot_id == "boot-1");
  CHECK(reader.anchor().offset_us == -17);
  CHECK(reader.oldest_open() == kEpochUs);
  CHECK(reader.observations() == std::vector{o});
  CHECK(reader.idempotency_keys() == std::vector<IdempotencyKey>{key});
}

TEST_CASE("calls are paged newest first, filtered, and a page says where the next begins") {
  Running r;
  const NameId project = r.ledger->intern("default");
  const NameId even = r.ledger->intern("even");
  const NameId odd = r.ledger->intern("odd");
  for (int i = 0; i < 100; ++i) {
    Admission a = admission(kEpochUs + i * kMinuteUs, {project, i % 2 == 0 ? even : odd, project});
    a.skew_us = i < 50 ? 0 : 30'000'000;  // the wall clock was stepped
    r.ledger->append(a);
    Outcome o = outcome(a.id);
    o.status = i % 10 == 0 ? 429 : 200;
    if (i < 99) r.ledger->append(o);
  }
  r.commit();
  Reader reader(r.directory.file());
  const auto numbers = [&](CallFilter filter) {
    std::vector<int> found;
    do {
      const CallPage page = reader.calls(filter);
      CHECK(page.calls.size() <= filter.limit);
      for (const Call& call : page.calls)
        found.push_back(static_cast<int>((call.admission.id - kEpochUs) / kMinuteUs));
      filter.before = page.next;
    } while (filter.before != 0);
    return found;
  };
  CallFilter filter;
  filter.limit = 7;
  CHECK(numbers(filter).size() == 100);
  CHECK(numbers(filter).front() == 99);
  filter.model = "odd";
  CHECK(numbers(filter).size() == 50);
  filter.model = "unknown";
  CHECK(numbers(filter).empty());
  filter.model = "";
  filter.status = 429;
  CHECK(numbers(filter) == std::vector{90, 80, 70, 60, 50, 40, 30, 20, 10, 0});
  filter.examine = 3;  // pages without a match lead on
  CHECK(numbers(filter) == std::vector{90, 80, 70, 60, 50, 40, 30, 20, 10, 0});
  filter.status.reset();
  filter.since = WallTime(Micros(kEpochUs + 48 * kMinuteUs));
  filter.until = WallTime(Micros(kEpochUs + 51 * kMinuteUs));
  CHECK(numbers(filter) == std::vector{50, 49, 48});
}

TEST_CASE("recovery finds calls, straddlers and sums from where it asks") {
  Running r;
  Model model;
  for (int i = 0; i < 60; ++i) {
    Admission a = admission(kEpochUs + i * kMinuteUs, {1 + i % 2, 3, 4});
    a.skew_us = 1000;
    Outcome o = outcome(a.id, i);
    o.straddles = i % 15 == 0;
    r.ledger->append(a);
    r.ledger->append(o);
    r.ledger->append(delta(a, o));
    model.add(a);
    model.add(o);
  }
  r.commit();
  Reader reader(r.directory.file());
  std::vector<CallId> ids;
  reader.each_call(kEpochUs + 57 * kMinuteUs, [&](const Call& call) { ids.push_back(call.admission.id); });
  CHECK(ids ==
        std::vector<CallId>{kEpochUs + 57 * kMinuteUs, kEpochUs + 58 * kMinuteUs, kEpochUs + 59 * kMinuteUs});
  ids.clear();
  // The latest moment of the call of minute 30 itself, on the wall clock.
  reader.each_straddler(WallTime(Micros(kEpochUs + 30 * kMinuteUs + 1000 + 250'000)),
                        WallTime(Micros(kEpochUs * 2)),
                        [&](const Call& call) { ids.push_back(call.admission.id - kEpochUs); });
  std::sort(ids.begin(), ids.end());
  CHECK(ids == std::vector<CallId>{30 * kMinuteUs, 45 * kMinuteUs});
  std::int64_t requests = 0;
  const std::int64_t minute = (kEpochUs + 1000) / kMinuteUs;
  reader.sum_minutes(minute + 10, minute + 20,
                     [&](const Key&, const Amounts& sum) { requests += sum.requests; });
  CHECK(requests == 10);
  requests = 0;
  const auto day = static_cast<std::int32_t>(kEpochUs / kDayUs);
  reader.sum_days(1, day, day + 2, [&](const Key& key, const Amounts& sum) {
    CHECK(key.project == 1);
    requests += sum.requests;
  });
  CHECK(requests == 30);
  // A visitor may ask for more.
  reader.each_call(
      0, [&](const Call& call) { CHECK(reader.call(call.admission.id)->admission == call.admission); });
}

TEST_CASE("old calls go while nothing else happens; open ones and totals stay") {
  Running r;
  r.opts.retention_days = 1;
  r.restart();
  r.ledger->intern("p");
  for (int i = 0; i < 1000; ++i) {
    const Admission a = admission(kEpochUs + i);
    const Outcome o = outcome(a.id);
    r.ledger->append(a);
    if (i != 900) r.ledger->append(o);
    r.ledger->append(delta(a, o));
    r.ledger->append(IdempotencyKey{1, static_cast<std::uint64_t>(i), 1, a.id});
  }
  r.ledger->store_oldest_open(kEpochUs + 900);
  r.ledger->append(admission(kEpochUs + 2 * kDayUs));
  r.commit();
  Reader reader(r.directory.file());
  const auto count = [&] {
    std::size_t n = 0;
    reader.each_call(0, [&](const Call&) { ++n; });
    return n;
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while ((count() != 101 || !reader.idempotency_keys().empty()) &&
         std::chrono::steady_clock::now() < deadline) {
  }
  CHECK(count() == 101);
  CHECK(reader.idempotency_keys().empty());
  CHECK(reader.call(kEpochUs + 900));
  UsageQuery query;
  query.by_model = query.by_consumer = query.by_project = false;
  const auto usage = reader.usage(query);
  REQUIRE(usage.size() == 1);
  CHECK(usage[0].totals.calls == 1000);
}

}  // namespace
}  // namespace weir::ledger
