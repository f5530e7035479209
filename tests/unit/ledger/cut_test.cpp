#include <doctest/doctest.h>

#include "ledger/ledger.hpp"
#include "ledger/reader.hpp"

#include "fixture.hpp"

namespace weir::ledger {
namespace {

std::vector<CallId> calls(Reader& reader) {
  std::vector<CallId> ids;
  reader.each_call(0, [&ids](const Call& call) { ids.push_back(call.admission.id); });
  return ids;
}

TEST_CASE("a reader pinned at a cut reads what was appended before its begin, and nothing later") {
  const TempDirectory directory;
  Loop loop;
  Ledger ledger({.path = directory.file()}, loop.post());
  const Key key{ledger.intern("p"), ledger.intern("m"), ledger.intern("c")};
  CallId id = kEpochUs;
  const auto append = [&] { ledger.append(admission(++id, key)); };
  // While the writer is idle, while it has a batch, and while one more waits behind that.
  for (int waiting = 0; waiting < 3; ++waiting) {
    CAPTURE(waiting);
    for (int i = 0; i < waiting; ++i) {
      append();
      ledger.flush();
    }
    append();
    CallId last = 0;
    std::unique_ptr<Reader> reader;
    ledger.cut([&] { last = id; },
               [&](bool good) {
                 REQUIRE(good);
                 reader = std::make_unique<Reader>(directory.file());
                 reader->pin();
               });
    append();
    ledger.flush();
    REQUIRE(loop.run_until([&] { return reader != nullptr; }));
    append();
    bool drained = false;
    ledger.drain([&drained] { drained = true; });
    REQUIRE(loop.run_until([&] { return drained; }));
    const std::vector<CallId> read = calls(*reader);
    CHECK(last > 0);
    CHECK(read.back() == last);
    CHECK(read.size() == static_cast<std::size_t>(last - kEpochUs));
    Reader now(directory.file());
    CHECK(calls(now).back() == id);
  }
}

}  // namespace
}  // namespace weir::ledger
