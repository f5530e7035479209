// The ledger on a disk that fails: the first, second, third ... operation of a story, until the story ends
// without a failure.
#include <doctest/doctest.h>

#include "faulty_disk.hpp"
#include "service.hpp"

namespace weir::ledger {
namespace {

void copy_as_after_a_crash(const std::string& from, const std::string& to) {
  for (const char* suffix : {"", "-wal"}) {
    if (std::filesystem::exists(from + suffix)) std::filesystem::copy_file(from + suffix, to + suffix);
  }
}

struct Fault {
  int code;
  int count;
  bool after;
};

void run_fault_loop(OnFailure on_failure, Durability durability, const Fault& fault) {
  FaultyDisk disk;
  bool hit = true;
  int first = 1;
  for (; hit && first < 2000; ++first) {
    CAPTURE(first);
    const TempDirectory directory;
    Service service(options(directory.file(), on_failure, durability));
    service.turn();
    disk.fail(first, fault.count, fault.code, fault.after);
    for (int i = 0; i < 3; ++i) service.turn();
    hit = disk.failed() > 0;
    disk.heal();
    service.turn();
    service.recover();
    copy_as_after_a_crash(directory.file(), directory.file("crashed.db"));
    check_holds(directory.file("crashed.db"), service.model());
    service.close();
    check_holds(directory.file(), service.model());
  }
  CHECK(first > 10);  // the story has operations to fail
  CHECK_FALSE(hit);
}

void run_fault_loops(Durability durability, std::initializer_list<Fault> faults) {
  for (const OnFailure on_failure : {OnFailure::spool, OnFailure::deny}) {
    for (const Fault& fault : faults) {
      CAPTURE(static_cast<int>(on_failure));
      CAPTURE(fault.code);
      CAPTURE(fault.count);
      CAPTURE(fault.after);
      run_fault_loop(on_failure, durability, fault);
    }
  }
}

TEST_CASE("nothing acknowledged is lost and nothing is doubled, whichever operation fails") {
  run_fault_loops(Durability::process,
                  {{SQLITE_FULL, 1, false}, {SQLITE_FULL, 7, false}, {SQLITE_IOERR, 4, false}});
}

TEST_CASE("the same when every commit is synced, and writes that fail take place all the same") {
  run_fault_loops(Durability::power, {{SQLITE_IOERR, 1, true}, {SQLITE_IOERR, 5, true}});
}

TEST_CASE("an opening that fails at any operation says so, and leaves a file that opens") {
  FaultyDisk disk;
  bool hit = true;
  int refused = 0;
  for (int first = 1; hit && first < 2000; ++first) {
    CAPTURE(first);
    const TempDirectory directory;
    Loop loop;
    disk.fail(first, 1, SQLITE_IOERR);
    try {
      const Ledger ledger(options(directory.file(), OnFailure::spool), loop.post());
    } catch (const OpenError& error) {
      CHECK(std::string(error.what()).find(directory.file()) != std::string::npos);
      ++refused;
    }
    hit = disk.failed() > 0;
    disk.heal();
    Service service(options(directory.file(), OnFailure::spool));
    service.turn();
    service.close();
    check_holds(directory.file(), service.model());
  }
  CHECK(refused > 10);
}

}  // namespace
}  // namespace weir::ledger
