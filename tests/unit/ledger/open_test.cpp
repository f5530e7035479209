// Which files are taken for a ledger, and what an operator is told about the others.
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include <doctest/doctest.h>
#include <sqlite3.h>

#include "ledger/file.hpp"
#include "ledger/migrations.hpp"
#include "ledger/sqlite.hpp"

#include "faulty_disk.hpp"
#include "service.hpp"

namespace weir::ledger {
namespace {

// What opening says; "" if it opens.
std::string refusal(const std::string& path) {
  Loop loop;
  try {
    const Ledger ledger(options(path, OnFailure::spool), loop.post());
    return "";
  } catch (const OpenError& error) {
    return error.what();
  }
}

bool says(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

Model fill(const std::string& path, int turns = 50) {
  Service service(options(path, OnFailure::spool));
  for (int i = 0; i < turns; ++i) service.turn();
  service.close();
  return service.model();
}

void overwrite(const std::string& path, std::streamoff at, const std::string& bytes) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(at);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

TEST_CASE("a new ledger is readable by its owner alone") {
  const TempDirectory directory;
  Service service(options(directory.file(), OnFailure::spool));
  service.turn();
  for (const char* suffix : {"", "-wal", "-shm", ".lock"}) {
    struct stat status {};
    REQUIRE(::stat((directory.file() + suffix).c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
  }
}

TEST_CASE("a ledger opens again with all that it held") {
  const TempDirectory directory;
  const Model model = fill(directory.file());
  CHECK(refusal(directory.file()).empty());
  check_holds(directory.file(), model);
}

TEST_CASE("a missing directory is named, with the command that makes it") {
  const TempDirectory directory;
  const std::string text = refusal(directory.file("missing/weir.db"));
  CHECK(says(text, "mkdir -p "));
}

TEST_CASE("a second daemon on the same file is refused while the first runs") {
  const TempDirectory directory;
  Loop loop;
  {
    const Ledger first(options(directory.file(), OnFailure::spool), loop.post());
    CHECK(says(refusal(directory.file()), "another daemon uses this ledger (process "));
    CHECK(Reader(directory.file()).last_id() == 0);  // readers are not
  }
  CHECK(refusal(directory.file()).empty());
}

TEST_CASE("a ledger that a slow disk is still closing is in use, and opens when it is closed") {
  FaultyDisk disk;
  const TempDirectory directory;
  Options impatient = options(directory.file(), OnFailure::spool);
  impatient.close_within = std::chrono::milliseconds(0);
  Service service(impatient);
  service.turn();
  disk.hang_at_sync();  // the end moves the log into the database, and syncs it
  service.close();
  disk.wait_until_hanging();
  CHECK(says(refusal(directory.file()), "another daemon uses this ledger (process "));
  disk.go_on();
  std::string text = "not tried";
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!text.empty() && std::chrono::steady_clock::now() < deadline) {
    text = refusal(directory.file());
    if (!text.empty()) CHECK(says(text, "another daemon uses this ledger"));
  }
  CHECK(text.empty());
  check_holds(directory.file(), service.model());
}

TEST_CASE("opening outwaits another program that looks into the ledger") {
  FaultyDisk disk;
  const TempDirectory directory;
  const Model model = fill(directory.file(), 1);
  disk.lock_out(12);  // what SQLite tries in some 300 ms
  CHECK(refusal(directory.file()).empty());
  check_holds(directory.file(), model);
}

TEST_CASE("a newer schema is refused, by the daemon and by reports") {
  const TempDirectory directory;
  fill(directory.file(), 1);
  sqlite::Database(directory.file(), SQLITE_OPEN_READWRITE).exec("PRAGMA user_version = 7");
  CHECK(says(refusal(directory.file()), "was written by a newer Weir (schema 7; this one knows up to 4)"));
  CHECK_THROWS_AS(Reader(directory.file()), OpenError);
}

TEST_CASE("a ledger of the first schema opens with its calls, and takes new ones") {
  const TempDirectory directory;
  {
    sqlite::Database old(directory.file(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    old.exec(migrations().front().sql);
    old.exec("PRAGMA application_id = 0x57656972; PRAGMA user_version = 1");
    old.exec("INSERT INTO names VALUES (1, 'p')");
    old.exec("INSERT INTO admissions VALUES (5,1,1,1,0,60,0,20000,1,123,0,0,0)");
  }
  {
    Loop loop;
    Ledger ledger(options(directory.file(), OnFailure::spool), loop.post());
    ledger.append(
        Admission{.id = 6, .key = {1, 1, 1}, .held = {1, 900, 0, 0, 0}, .estimate = 700, .uncertain = true});
    ledger.append(Correction{.key = {1, 1, 0}, .uncertain = true, .ratios = "3:4"});
    ledger.append(DayZone{.project = 1, .zone = "UTC", .since_minute = 0});
    ledger.append(DayZone{.project = 1, .zone = "Asia/Tokyo", .since_minute = 5});
  }
  Reader reader(directory.file());
  CHECK(reader.call(5)->admission.held.input_tokens == 123);
  CHECK(reader.call(5)->admission.estimate == 0);
  CHECK(reader.call(6)->admission.estimate == 700);
  CHECK(reader.call(6)->admission.uncertain);
  CHECK(reader.corrections() ==
        std::vector{Correction{.key = {1, 1, 0}, .uncertain = true, .ratios = "3:4"}});
  CHECK(reader.day_zones() == std::vector{DayZone{.project = 1, .zone = "Asia/Tokyo", .since_minute = 5}});
}

TEST_CASE("another program's database is left alone") {
  const TempDirectory directory;
  sqlite::Database(directory.file(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)
      .exec("CREATE TABLE cookies (id)");
  CHECK(says(refusal(directory.file()), "is a database of another program"));
}

TEST_CASE("what is not a database is said not to be one") {
  const TempDirectory directory;
  std::ofstream(directory.file()) << std::string(10'000, 'x');
  CHECK(says(refusal(directory.file()), "is not an SQLite database"));
}

TEST_CASE("an empty file becomes a ledger") {
  const TempDirectory directory;
  std::ofstream(directory.file()).close();
  CHECK(refusal(directory.file()).empty());
}

TEST_CASE("a damaged header is found") {
  const TempDirectory directory;
  fill(directory.file());
  overwrite(directory.file(), 0, std::string(100, '\7'));
  CHECK(says(refusal(directory.file()), "move it"));
}

TEST_CASE("a damaged page is found, and rescue is explained") {
  const TempDirectory directory;
  fill(directory.file());
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(directory.file()));
  for (std::streamoff page = 1; page < size / 4096; ++page) {
    CAPTURE(page);
    const std::string copy = directory.file("copy.db");
    std::filesystem::copy_file(directory.file(), copy, std::filesystem::copy_options::overwrite_existing);
    overwrite(copy, page * 4096, std::string(4096, '\377'));
    const std::string text = refusal(copy);
    CHECK(says(text, "damaged"));
    CHECK(says(text, ".recover"));
  }
}

TEST_CASE("a file that was cut off is found, wherever it was cut") {
  const TempDirectory directory;
  fill(directory.file());
  for (auto size = std::filesystem::file_size(directory.file()) - 2048; size > 0;
       size -= std::min<std::uintmax_t>(size, 2048)) {
    CAPTURE(size);
    const std::string copy = directory.file("copy.db");
    std::filesystem::copy_file(directory.file(), copy, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(copy, size);
    CHECK_FALSE(refusal(copy).empty());
  }
}

TEST_CASE("a report on a page that was damaged later says what to do") {
  const TempDirectory directory;
  fill(directory.file(), 200);
  Reader reader(directory.file());
  for (std::streamoff page = 1; page < 30; ++page)
    overwrite(directory.file(), page * 4096, std::string(4096, '\377'));
  CHECK_THROWS_AS(reader.each_call(0, [](const Call&) {}), OpenError);
}

TEST_CASE("a path that cannot be looked at is not taken for a deleted file") {
  const TempDirectory directory;
  const std::string loop = directory.file("loop.db");
  REQUIRE(::symlink(loop.c_str(), loop.c_str()) == 0);
  CHECK_THROWS_AS(static_cast<void>(identity_of(loop)), OpenError);
  CHECK_FALSE(identity_of(directory.file("none.db")).has_value());
}

}  // namespace
}  // namespace weir::ledger
