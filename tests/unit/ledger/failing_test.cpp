// What callers hear while the disk fails, and what becomes of it afterwards.
#include <doctest/doctest.h>

#include "ledger/file.hpp"
#include "ledger/sqlite.hpp"

#include "faulty_disk.hpp"
#include "service.hpp"

namespace weir::ledger {
namespace {

constexpr int kAll = 1 << 30;

std::shared_ptr<RecordingWaiter> send(Ledger& ledger, const Admission& a) {
  ledger.append(a);
  auto waiter = std::make_shared<RecordingWaiter>();
  ledger.wait(waiter);
  ledger.flush();
  return waiter;
}

TEST_CASE("with spool, calls are acknowledged at once while the disk is full, and written when it is not") {
  FaultyDisk disk;
  const TempDirectory directory;
  Service service(options(directory.file(), OnFailure::spool));
  service.turn();
  CHECK(service.ledger().admission_outlook() == Commit::durable);
  disk.fail(1, kAll, SQLITE_FULL);
  service.turn();
  CHECK(service.ledger().admission_outlook() == Commit::spooled);
  const Health health = service.ledger().health();
  CHECK(health.failing);
  CHECK(health.failures > 0);
  CHECK(health.backlog > 0);
  CHECK(health.last_error.find("the disk is full") != std::string::npos);
  for (int i = 0; i < 200; ++i) service.turn();
  disk.heal();
  service.recover();
  CHECK(service.ledger().admission_outlook() == Commit::durable);
  CHECK(service.refused() == 0);
  service.close();
  check_holds(directory.file(), service.model());
}

TEST_CASE("the spool holds as many calls as it was told to, and refuses the next") {
  FaultyDisk disk;
  const TempDirectory directory;
  Options bounded = options(directory.file(), OnFailure::spool);
  bounded.spool_calls = 10;
  Service service(bounded);
  disk.fail(1, kAll, SQLITE_FULL);
  for (int i = 0; i < 5; ++i) service.turn();  // two calls each
  CHECK(service.refused() == 0);
  CHECK(service.ledger().admission_outlook() == Commit::failed);
  service.turn();
  CHECK(service.refused() == 2);
  disk.heal();
  service.recover();
  service.turn();
  CHECK(service.refused() == 2);
  service.close();
  check_holds(directory.file(), service.model());
}

TEST_CASE("with deny, calls are refused at once, and settlements of earlier ones are kept") {
  FaultyDisk disk;
  const TempDirectory directory;
  Service service(options(directory.file(), OnFailure::deny));
  service.turn();
  disk.fail(1, kAll, SQLITE_FULL);
  service.turn();
  service.turn();
  CHECK(service.refused() == 4);
  CHECK(service.ledger().admission_outlook() == Commit::failed);
  disk.heal();
  service.recover();
  service.close();
  check_holds(directory.file(), service.model());
}

TEST_CASE("a drain ends although the disk fails, and tells what was not written") {
  FaultyDisk disk;
  const TempDirectory directory;
  Options slow = options(directory.file(), OnFailure::spool);
  slow.retry_first = slow.retry_last = std::chrono::hours(1);
  Service service(slow);
  disk.fail(1, kAll, SQLITE_IOERR);
  service.turn();
  bool drained = false;
  service.ledger().drain([&] { drained = true; });
  REQUIRE(service.loop().run_until([&] { return drained; }));
  CHECK(service.ledger().health().backlog > 0);
}

TEST_CASE("a drain waits for what is queued, and a drain of nothing ends at once") {
  const TempDirectory directory;
  Loop loop;
  Ledger ledger(options(directory.file(), OnFailure::spool), loop.post());
  const auto waiter = send(ledger, admission(kEpochUs));
  ledger.append(admission(kEpochUs + 1));
  bool drained = false;
  ledger.drain([&] { drained = true; });
  CHECK_FALSE(drained);
  REQUIRE(loop.run_until([&] { return drained; }));
  CHECK(waiter->called());
  CHECK(Reader(directory.file()).last_id() == kEpochUs + 1);
  drained = false;
  ledger.drain([&] { drained = true; });
  REQUIRE(loop.run_until([&] { return drained; }));
}

TEST_CASE("a lock that another program holds makes it fail for as long as it is held, not longer") {
  const TempDirectory directory;
  Service service(options(directory.file(), OnFailure::spool));
  service.turn();
  sqlite::Database other(directory.file(), SQLITE_OPEN_READWRITE);
  other.exec("PRAGMA busy_timeout = 5000; BEGIN EXCLUSIVE");  // the ledger may be tidying up
  service.turn();
  CHECK(service.ledger().health().failing);
  CHECK(service.ledger().health().last_error.find("another program") != std::string::npos);
  other.exec("ROLLBACK");
  service.recover();
  service.close();
  check_holds(directory.file(), service.model());
}

TEST_CASE("a ledger that is deleted while it is used is written again with all that it held") {
  const TempDirectory directory;
  Service service(options(directory.file(), OnFailure::spool));
  std::string notice;
  service.ledger().on_notice([&](const std::string& text) { notice = text; });
  for (int i = 0; i < 50; ++i) service.turn();
  Reader reader(directory.file());
  for (const std::string& name : {directory.file(), log_of(directory.file())}) std::filesystem::remove(name);
  // It looks once a second.
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (notice.empty() && std::chrono::steady_clock::now() < deadline) service.turn();
  CHECK(notice.find("was deleted") != std::string::npos);
  service.turn();
  CHECK(reader.last_id() != 0);
  service.close();
  check_holds(directory.file(), service.model());
}

TEST_CASE("a ledger that is deleted while nothing happens is written again when the daemon stops") {
  const TempDirectory directory;
  Service service(options(directory.file(), OnFailure::spool));
  for (int i = 0; i < 50; ++i) service.turn();
  std::filesystem::remove(directory.file());
  service.close();
  check_holds(directory.file(), service.model());
}

TEST_CASE("a ledger that is deleted with its directory is held in memory until that is back") {
  const TempDirectory directory;
  const std::string path = directory.file("deep/weir.db");
  std::filesystem::create_directory(directory.file("deep"));
  Service service(options(path, OnFailure::spool));
  service.turn();
  std::filesystem::remove_all(directory.file("deep"));
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!service.ledger().health().failing && std::chrono::steady_clock::now() < deadline) service.turn();
  CHECK(service.ledger().health().last_error.find("cannot be written again") != std::string::npos);
  std::filesystem::create_directory(directory.file("deep"));
  service.recover();
  service.close();
  check_holds(path, service.model());
}

TEST_CASE(
    "another file in the ledger's place is left alone, and the former one taken up again when it is back") {
  const TempDirectory directory;
  Service service(options(directory.file(), OnFailure::spool));
  service.turn();
  std::filesystem::rename(directory.file(), directory.file("away.db"));
  {
    Loop loop;
    const Ledger other(options(directory.file("other.db"), OnFailure::spool), loop.post());
  }
  std::filesystem::rename(directory.file("other.db"), directory.file());
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!service.ledger().health().failing && std::chrono::steady_clock::now() < deadline) service.turn();
  CHECK(service.ledger().health().last_error.find("replaced") != std::string::npos);
  service.turn();
  CHECK(Reader(directory.file()).last_id() == 0);  // untouched
  std::filesystem::rename(directory.file("away.db"), directory.file());
  service.recover();
  service.close();
  check_holds(directory.file(), service.model());
}

TEST_CASE("the end of a ledger on a failing disk takes no longer than one more attempt") {
  FaultyDisk disk;
  const TempDirectory directory;
  Options slow = options(directory.file(), OnFailure::spool);
  slow.retry_first = slow.retry_last = slow.close_within = std::chrono::hours(1);
  Service service(slow);
  service.turn();
  disk.fail(1, kAll, SQLITE_IOERR);
  service.turn();
  service.turn();
  service.close();  // or it takes the hour
}

}  // namespace
}  // namespace weir::ledger
