// Reports from totals, against sums over the single calls: random calls, late corrections, ranges, zones;
// both changes of daylight saving in America/Los_Angeles lie within.
#include <random>

#include <doctest/doctest.h>

#include "service.hpp"

namespace weir::ledger {
namespace {

WallTime wall(std::int64_t us) {
  return WallTime(Micros(us));
}

struct Project {
  std::string name;
  Zone zone;
};

using Rows = std::map<SumKey, Totals>;

Rows oracle(const Model& model, const std::vector<Project>& projects, const std::vector<std::string>& names,
            const UsageQuery& query) {
  Rows rows;
  for (const auto& [id, call] : model.calls) {
    const WallTime at = call.admitted_at();
    const auto minute = std::chrono::floor<std::chrono::minutes>(at);
    if (query.since && minute < std::chrono::floor<std::chrono::minutes>(*query.since)) continue;
    if (query.until && minute >= std::chrono::ceil<std::chrono::minutes>(*query.until)) continue;
    const auto name = [&](NameId n) { return names[static_cast<std::size_t>(n) - 1]; };
    const Key& key = call.admission.key;
    WallTime bucket{};
    if (query.bucket == Bucket::hour) bucket = std::chrono::floor<std::chrono::hours>(at);
    if (query.bucket == Bucket::day) {
      const Zone zone = query.zone.value_or(projects[static_cast<std::size_t>(key.project) - 1].zone);
      bucket = zone.day_begin(zone.local_day(at));
    }
    Totals totals = delta(call.admission, call.outcome).totals;
    totals.charged = {0, 0, 0, 0, 0};
    rows[{bucket, query.by_project ? name(key.project) : "", query.by_model ? name(key.model) : "",
          query.by_consumer ? name(key.consumer) : ""}] += totals;
  }
  return rows;
}

TEST_CASE("every report equals the sum over its calls") {
  const auto los_angeles = Zone::find("America/Los_Angeles").value();
  const std::vector<Project> projects = {
      {"a", los_angeles}, {"b", los_angeles}, {"c", Zone::utc()}, {"d", Zone::find("Asia/Kolkata").value()}};
  for (const std::int64_t around :
       {1'772'964'000'000'000, 1'793'523'600'000'000}) {  // 2026-03-08, 2026-11-01, 2 a.m.
    const TempDirectory directory;
    std::mt19937_64 random(static_cast<std::uint64_t>(around));
    const auto pick = [&](std::int64_t from, std::int64_t to) {
      return std::uniform_int_distribution<std::int64_t>(from, to)(random);
    };
    Loop loop;
    auto ledger = std::make_unique<Ledger>(options(directory.file(), OnFailure::spool), loop.post());
    std::vector<std::string> names;
    for (const char* name : {"a", "b", "c", "d", "gemini-2.5-flash", "gemini-2.5-pro", "chat", "batch"}) {
      names.emplace_back(name);
      ledger->intern(name);
    }
    const std::int64_t begin = around - 3 * kDayUs;
    const std::int64_t end = around + 3 * kDayUs;
    Model model;
    for (int i = 0; i < 3000; ++i) {
      const auto project = static_cast<NameId>(pick(1, 4));
      Admission a = admission(pick(begin, end),
                              {project, static_cast<NameId>(pick(5, 6)), static_cast<NameId>(pick(7, 8))});
      if (model.calls.contains(a.id)) continue;
      a.skew_us = pick(0, 9) == 0 ? pick(-7'000'000'000, 7'000'000'000) : 1234;
      const WallTime at = wall(a.id + a.skew_us);
      a.local_day = projects[static_cast<std::size_t>(project) - 1].zone.local_day(at);
      Outcome o = outcome(a.id, pick(0, 100'000));
      o.status = pick(0, 3) == 0 ? 429 : 200;
      o.state = pick(0, 5) == 0 ? State::expired : State::settled;
      ledger->append(a);
      ledger->append(o);
      ledger->append(delta(a, o));
      if (o.state == State::expired && pick(0, 1) == 0) {  // a late settlement corrects it
        const Outcome late = outcome(a.id, pick(0, 100'000));
        TotalsDelta correction = delta(a, o);
        correction.totals = negative(correction.totals);
        correction.totals += delta(a, late).totals;
        ledger->append(late);
        ledger->append(correction);
        o = late;
      }
      model.add(a);
      model.add(o);
      if (pick(0, 20) == 0) ledger->flush();
    }
    ledger.reset();

    Reader reader(directory.file());
    for (int i = 0; i < 300; ++i) {
      UsageQuery query;
      query.project_zone = [&](std::string_view name) {
        return projects[static_cast<std::size_t>(name[0] - 'a')].zone;
      };
      if (pick(0, 4) != 0) query.since = wall(pick(begin - kDayUs, end));
      if (pick(0, 4) != 0) query.until = wall(pick(begin, end + kDayUs));
      if (query.since && pick(0, 3) == 0)
        query.since = los_angeles.interval(CalendarUnit::day, *query.since).begin;
      if (query.until && pick(0, 3) == 0)
        query.until = los_angeles.interval(CalendarUnit::day, *query.until).end;
      query.bucket = static_cast<Bucket>(pick(0, 2));
      query.by_project = pick(0, 1) == 0;
      query.by_model = pick(0, 1) == 0;
      query.by_consumer = pick(0, 1) == 0;
      if (pick(0, 2) == 0) query.zone = projects[static_cast<std::size_t>(pick(0, 3))].zone;
      CAPTURE(i);
      CAPTURE(static_cast<int>(query.bucket));
      const Rows expected = oracle(model, projects, names, query);
      Rows found;
      std::optional<SumKey> last;
      for (const UsageRow& row : reader.usage(query)) {
        CHECK(row.bucket_start.has_value() == (query.bucket != Bucket::none));
        const SumKey key{row.bucket_start.value_or(WallTime{}), row.project, row.model, row.consumer};
        CHECK((!last || *last < key));  // in order, each once
        last = key;
        found[key] = row.totals;
      }
      CHECK(found == expected);
    }
  }
}

TEST_CASE("denials are in the totals though they are no calls") {
  const TempDirectory directory;
  Loop loop;
  auto ledger = std::make_unique<Ledger>(options(directory.file(), OnFailure::spool), loop.post());
  const Key key{ledger->intern("default"), ledger->intern("gemini-2.5-flash"), ledger->intern("chat")};
  TotalsDelta denials;
  denials.minute = kEpochUs / kMinuteUs;
  denials.local_day = static_cast<std::int32_t>(kEpochUs / kDayUs);
  denials.key = key;
  denials.totals.denied = 1000;
  ledger->append(denials);
  ledger->append(denials);
  ledger.reset();
  const auto rows = Reader(directory.file()).usage({});
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].project == "default");
  CHECK(rows[0].totals.denied == 2000);
  CHECK(rows[0].totals.calls == 0);
}

}  // namespace
}  // namespace weir::ledger
