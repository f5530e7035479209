// Reports of use, from totals.
//
// Each project's range is cut at midnights of its own zone, and the smaller part of a day that is cut is read
// from minutes. Example: [Mon 06:30, Thu 02:00), by days, is
//   days Mon to Wed, less the minutes [Mon 00:00, Mon 06:30), and the minutes [Thu 00:00, Thu 02:00).
// Buckets of hours, and of days in another zone, are read from minutes alone. Projects of one zone are read
// together, because minutes are stored by time.
#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <tuple>

#include "ledger/connection.hpp"

namespace weir::ledger {
namespace {

constexpr std::int64_t kMinuteUs = 60'000'000;
constexpr std::int64_t kAlways = std::numeric_limits<std::int64_t>::max();

std::int64_t floor_minute(WallTime at) {
  return std::chrono::floor<std::chrono::minutes>(at).time_since_epoch().count();
}
std::int64_t ceil_minute(WallTime at) {
  return std::chrono::ceil<std::chrono::minutes>(at).time_since_epoch().count();
}
WallTime minute_begin(std::int64_t minute) {
  return WallTime(Micros(minute * kMinuteUs));
}

struct Range {  // half-open; of minutes or of days
  std::int64_t from = -kAlways;
  std::int64_t to = kAlways;
  [[nodiscard]] std::int64_t size() const { return to - from; }
  auto operator<=>(const Range&) const = default;
};

struct Piece {  // minutes to read, to be added or taken away
  Range minutes;
  bool subtract = false;
  auto operator<=>(const Piece&) const = default;
};

struct Plan {  // of one project
  Range days{0, 0};
  std::vector<Piece> pieces;
};

Plan plan_with_days(const Zone& zone, const Range& range) {
  const auto begin_of = [&](std::int64_t day) {
    return floor_minute(zone.day_begin(static_cast<std::int32_t>(day)));
  };
  Plan plan;
  if (range.from >= range.to) return plan;
  plan.days = {};
  const bool begins = range.from != -kAlways;
  const bool ends = range.to != kAlways;
  const std::int64_t first = begins ? zone.local_day(minute_begin(range.from)) : -kAlways;
  const std::int64_t last = ends ? zone.local_day(minute_begin(range.to)) : kAlways;
  if (first == last) return {.days = {0, 0}, .pieces = {{.minutes = range}}};
  if (begins) {
    const Range before{begin_of(first), range.from};
    const Range after{range.from, begin_of(first + 1)};
    const bool whole = before.size() < after.size();
    plan.days.from = whole ? first : first + 1;
    plan.pieces.push_back({.minutes = whole ? before : after, .subtract = whole});
  }
  if (ends) {
    const Range before{begin_of(last), range.to};
    const Range after{range.to, begin_of(last + 1)};
    const bool whole = after.size() < before.size();
    plan.days.to = whole ? last + 1 : last;
    plan.pieces.push_back({.minutes = whole ? after : before, .subtract = whole});
  }
  std::erase_if(plan.pieces, [](const Piece& piece) { return piece.minutes.size() == 0; });
  return plan;
}

Totals read_totals(const sqlite::Statement& row, int c) {
  Totals t;
  t.calls = row.integer(c);
  t.errors = row.integer(c + 1);
  t.denied = row.integer(c + 2);
  t.expired = row.integer(c + 3);
  t.usage = {row.integer(c + 4), row.integer(c + 5), row.integer(c + 6),
             row.integer(c + 7), row.integer(c + 8), row.integer(c + 9)};
  t.cost = row.integer(c + 10);
  return t;
}

constexpr const char* kTotals =
    "calls, errors, denied, expired, input_tokens, cached_input_tokens, output_tokens, thoughts_tokens, "
    "tool_use_tokens, images, cost";

// Adds up rows under the names that the query groups by.
class Sums {
 public:
  explicit Sums(const UsageQuery& query) : query_(query) {}

  void add(WallTime bucket, Key key, const Totals& totals) {
    if (!query_.by_project) key.project = 0;
    if (!query_.by_model) key.model = 0;
    if (!query_.by_consumer) key.consumer = 0;
    if (query_.bucket == Bucket::none) bucket = {};
    const Group group{bucket, key};
    if (last_ == nullptr || last_->first != group)
      last_ = &*sums_.try_emplace(group).first;  // often the same again
    last_->second += totals;
  }

  template <typename NameOf>
  std::vector<UsageRow> rows(NameOf name_of) const {
    // Sorted before the rows are made, which are ten times as big.
    struct Entry {
      WallTime bucket;
      const std::string *project, *model, *consumer;
      const Totals* totals;
      [[nodiscard]] auto order() const { return std::tie(bucket, *project, *model, *consumer); }
    };
    std::vector<Entry> entries;
    entries.reserve(sums_.size());
    for (const auto& [group, totals] : sums_) {
      if (totals == Totals{}) continue;  // all of it was taken away again
      entries.push_back({group.bucket, &name_of(group.key.project), &name_of(group.key.model),
                         &name_of(group.key.consumer), &totals});
    }
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.order() < b.order(); });
    std::vector<UsageRow> rows;
    rows.reserve(entries.size());
    for (const Entry& entry : entries) {
      UsageRow& row = rows.emplace_back();
      if (query_.bucket != Bucket::none) row.bucket_start = entry.bucket;
      row.project = *entry.project;
      row.model = *entry.model;
      row.consumer = *entry.consumer;
      row.totals = *entry.totals;
    }
    return rows;
  }

 private:
  struct Group {
    WallTime bucket;
    Key key;
    bool operator==(const Group&) const = default;
  };
  struct Hash {
    std::size_t operator()(const Group& g) const {
      std::uint64_t h = static_cast<std::uint64_t>(g.bucket.time_since_epoch().count());
      for (const NameId id : {g.key.project, g.key.model, g.key.consumer}) {
        h = (h ^ static_cast<std::uint32_t>(id)) * 0x9e3779b97f4a7c15U;
        h ^= h >> 29;
      }
      return h;
    }
  };
  const UsageQuery& query_;
  std::unordered_map<Group, Totals, Hash> sums_;
  std::pair<const Group, Totals>* last_ = nullptr;
};

// Rows come in the order of time, so that a bucket is computed once, not per row.
class Buckets {
 public:
  Buckets(Bucket bucket, const Zone& zone) : bucket_(bucket), zone_(zone) {}
  WallTime of(std::int64_t minute) {
    const WallTime at = minute_begin(minute);
    if (current_.contains(at)) return current_.begin;
    if (bucket_ == Bucket::hour) {
      current_.begin = std::chrono::floor<std::chrono::hours>(at);
      current_.end = current_.begin + std::chrono::hours(1);
    } else {
      current_ = zone_.interval(CalendarUnit::day, at);
    }
    return current_.begin;
  }

 private:
  const Bucket bucket_;
  const Zone zone_;
  WallInterval current_{};
};

}  // namespace

std::vector<UsageRow> Reader::Connection::usage(const UsageQuery& query) {
  Range range;
  if (query.since) range.from = floor_minute(*query.since);
  if (query.until) range.to = ceil_minute(*query.until);
  Sums sums(query);

  auto next_project = db.prepare("SELECT min(project) FROM days WHERE project > ?");
  auto days = db.prepare((std::string("SELECT local_day, model, consumer, ") + kTotals +
                          " FROM days WHERE project = ? AND local_day >= ? AND local_day < ?")
                             .c_str());
  // Which projects need which minutes, and in which zone their days begin.
  std::map<Piece, std::map<std::string_view, std::set<NameId>>> pieces;

  for (NameId project = 0;;) {
    const bool found = next_project.bind(std::int64_t{project}).step();
    project = found ? static_cast<NameId>(next_project.integer(0)) : 0;
    next_project.reset();
    if (project == 0) break;
    const Zone own = query.project_zone ? query.project_zone(name(project)) : Zone::utc();
    const Zone zone = query.zone.value_or(own);
    const bool by_days =
        query.bucket == Bucket::none || (query.bucket == Bucket::day && zone.name() == own.name());
    Plan plan;
    if (by_days) {
      plan = plan_with_days(own, range);
    } else {
      plan.pieces = {{.minutes = range}};
    }
    for (const Piece& piece : plan.pieces) pieces[piece][zone.name()].insert(project);
    if (plan.days.from >= plan.days.to) continue;
    days.bind(std::int64_t{project}, plan.days.from, plan.days.to);
    std::int64_t day = kAlways;
    WallTime bucket;
    while (days.step()) {
      if (query.bucket == Bucket::day && day != days.integer(0)) {
        day = days.integer(0);
        bucket = own.day_begin(static_cast<std::int32_t>(day));
      }
      const Key key{project, static_cast<NameId>(days.integer(1)), static_cast<NameId>(days.integer(2))};
      sums.add(bucket, key, read_totals(days, 3));
    }
    days.reset();
  }

  auto minutes = db.prepare((std::string("SELECT minute, project, model, consumer, ") + kTotals +
                             " FROM minutes WHERE minute >= ? AND minute < ?")
                                .c_str());
  for (const auto& [piece, zones] : pieces) {
    for (const auto& [zone_name, projects] : zones) {
      Buckets buckets(query.bucket, Zone::find(zone_name).value_or(Zone::utc()));
      minutes.bind(piece.minutes.from, piece.minutes.to);
      while (minutes.step()) {
        const auto project = static_cast<NameId>(minutes.integer(1));
        if (!projects.contains(project)) continue;
        const Key key{project, static_cast<NameId>(minutes.integer(2)),
                      static_cast<NameId>(minutes.integer(3))};
        const WallTime bucket = query.bucket == Bucket::none ? WallTime{} : buckets.of(minutes.integer(0));
        const Totals totals = read_totals(minutes, 4);
        sums.add(bucket, key, piece.subtract ? negative(totals) : totals);
      }
      minutes.reset();
    }
  }
  return sums.rows([this](NameId id) -> const std::string& { return name(id); });
}

}  // namespace weir::ledger
