// Reports of use, from totals.
//
// Each project's range is cut at midnights of its own zone, and the smaller part of a day that is cut is read
// from minutes. Example: [Mon 06:30, Thu 02:00), by days, is
//   days Mon to Wed, less the minutes [Mon 00:00, Mon 06:30), and the minutes [Thu 00:00, Thu 02:00).
// A day of another zone is such a range itself: what one of them lacks is what the next has too much, so the
// same minutes, read once, are added to one and taken from the other. Hours are read from minutes alone.
// Projects of one zone are read together, because minutes are stored by time.
#include <algorithm>
#include <array>
#include <deque>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <utility>

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
    const bool whole = before.size() <= after.size();  // halves: the same as at the end of the range before
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

// Adds up totals under the names that the query groups by.
class Sums {
  struct Sum {
    WallTime bucket;
    Key key;
    Totals totals;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const {
      std::uint64_t h = 0;
      for (const NameId id : {key.project, key.model, key.consumer}) {
        h = (h ^ static_cast<std::uint32_t>(id)) * 0x9e3779b97f4a7c15U;
        h ^= h >> 29;
      }
      return h;
    }
  };

 public:
  explicit Sums(const UsageQuery& query) : query_(query) {}

  // Totals that are read one after the other, in the order of time: a key's sum is the one of the last
  // bucket, or a new one. So what is looked up is a few keys that stay in the cache, not every row of the
  // report. Several runs may make sums of the same group; rows() adds them up.
  class Run {
   public:
    explicit Run(Sums& sums) : sums_(sums) {}
    void add(WallTime bucket, Key key, const Totals& totals) {
      const UsageQuery& query = sums_.query_;
      if (!query.by_project) key.project = 0;
      if (!query.by_model) key.model = 0;
      if (!query.by_consumer) key.consumer = 0;
      if (query.bucket == Bucket::none) bucket = {};
      Sum*& last = last_.try_emplace(key, nullptr).first->second;
      if (last == nullptr || last->bucket != bucket) last = &sums_.sums_.emplace_back(Sum{bucket, key, {}});
      last->totals += totals;
    }

   private:
    Sums& sums_;
    std::unordered_map<Key, Sum*, KeyHash> last_;
  };

  // Ordered by bucket and names.
  template <typename NameOf>
  std::vector<UsageRow> rows(NameOf name_of) const {
    // Names are compared once each, not once per row; and what is sorted is a fifth of a row.
    const Ranks rank(sums_, name_of);
    struct Entry {
      WallTime bucket;
      std::array<std::size_t, 3> ranks;
      const Sum* sum;
      [[nodiscard]] auto group() const { return std::tie(bucket, ranks); }
    };
    std::vector<Entry> entries;
    entries.reserve(sums_.size());
    for (const Sum& sum : sums_) {
      const Key& key = sum.key;
      entries.push_back(
          {sum.bucket, {rank.of(key.project), rank.of(key.model), rank.of(key.consumer)}, &sum});
    }
    std::sort(entries.begin(), entries.end(),
              [](const Entry& x, const Entry& y) { return x.group() < y.group(); });
    std::vector<UsageRow> rows;
    rows.reserve(entries.size());
    for (std::size_t i = 0; i < entries.size();) {
      const Entry& first = entries[i];
      Totals totals = first.sum->totals;
      while (++i < entries.size() && entries[i].group() == first.group()) totals += entries[i].sum->totals;
      if (totals == Totals{}) continue;  // all of it was taken away again
      UsageRow& row = rows.emplace_back();
      const Key& key = first.sum->key;
      if (query_.bucket != Bucket::none) row.bucket_start = first.bucket;
      row.project = name_of(key.project);
      row.model = name_of(key.model);
      row.consumer = name_of(key.consumer);
      row.totals = totals;
    }
    return rows;
  }

 private:
  // The place of each name that occurs in their order.
  class Ranks {
   public:
    template <typename NameOf>
    Ranks(const std::deque<Sum>& sums, NameOf name_of) {
      std::vector<NameId> ids;
      for (const Sum& sum : sums) {
        for (const NameId id : {sum.key.project, sum.key.model, sum.key.consumer}) {
          const auto at = static_cast<std::size_t>(id);
          if (at >= ranks_.size()) ranks_.resize(at + 1, kAbsent);
          if (std::exchange(ranks_[at], 0) == kAbsent) ids.push_back(id);
        }
      }
      std::sort(ids.begin(), ids.end(), [&](NameId x, NameId y) { return name_of(x) < name_of(y); });
      for (std::size_t i = 0; i < ids.size(); ++i) ranks_[static_cast<std::size_t>(ids[i])] = i;
    }
    [[nodiscard]] std::size_t of(NameId id) const { return ranks_[static_cast<std::size_t>(id)]; }

   private:
    static constexpr std::size_t kAbsent = std::numeric_limits<std::size_t>::max();
    std::vector<std::size_t> ranks_;  // by id
  };

  const UsageQuery& query_;
  std::deque<Sum> sums_;  // stay where they are
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

// What is to be done with minutes that are read: for whom, and in which bucket they count.
struct Use {
  Bucket bucket = Bucket::none;  // none: all in `begin`
  WallTime begin;
  std::string_view zone;
  bool subtract = false;
  auto operator<=>(const Use&) const = default;
};
using Reads = std::map<Range, std::map<Use, std::set<NameId>>>;

// Days of `zone` that have a part in `range`, cut to it, each with its begin.
std::vector<std::pair<WallTime, Range>> days_in(const Zone& zone, const Range& range) {
  std::vector<std::pair<WallTime, Range>> days;
  for (std::int64_t at = range.from; at < range.to;) {
    const WallInterval day = zone.interval(CalendarUnit::day, minute_begin(at));
    const std::int64_t end = std::min(floor_minute(day.end), range.to);
    days.push_back({day.begin, {at, end}});
    at = end;
  }
  return days;
}

}  // namespace

std::vector<UsageRow> Reader::Connection::usage(const UsageQuery& query) {
  Range range;
  if (query.since) range.from = floor_minute(*query.since);
  if (query.until) range.to = ceil_minute(*query.until);
  Sums sums(query);
  const NameId consumer = query.consumer.empty() ? 0 : id_of(query.consumer);
  if (!query.consumer.empty() && consumer == 0) return {};  // it never called
  const auto asked_for = [consumer](const Key& key) { return consumer == 0 || key.consumer == consumer; };

  auto next_project = db.prepare("SELECT min(project) FROM days WHERE project > ?");
  auto days = db.prepare((std::string("SELECT local_day, model, consumer, ") + kTotals +
                          " FROM days WHERE project = ? AND local_day >= ? AND local_day < ?")
                             .c_str());
  // The part of `asked` for which there are totals of minutes.
  const auto covered = [&](Range asked) {
    const std::int64_t first = db.integer("SELECT minute FROM minutes ORDER BY minute LIMIT 1");
    const std::int64_t last = db.integer("SELECT minute FROM minutes ORDER BY minute DESC LIMIT 1");
    return Range{std::max(asked.from, first), std::min(asked.to, last + 1)};
  };
  Reads reads;
  std::vector<std::pair<WallTime, Range>> foreign;  // days of query.zone, if a project needs them

  for (NameId project = 0;;) {
    const bool found = next_project.bind(std::int64_t{project}).step();
    project = found ? static_cast<NameId>(next_project.integer(0)) : 0;
    next_project.reset();
    if (project == 0) break;
    const Zone own = query.project_zone ? query.project_zone(name(project)) : Zone::utc();
    const Zone zone = query.zone.value_or(own);

    Sums::Run whole_days(sums);
    // Reads whole days, and notes the minutes to be read: in one bucket, or in own days.
    const auto read = [&](const Range& part, std::optional<WallTime> in) {
      const Plan plan = plan_with_days(own, part);
      for (const Piece& piece : plan.pieces) {
        const Use use = in ? Use{Bucket::none, *in, {}, piece.subtract}
                           : Use{query.bucket, {}, own.name(), piece.subtract};
        reads[piece.minutes][use].insert(project);
      }
      if (plan.days.from >= plan.days.to) return;
      days.bind(std::int64_t{project}, plan.days.from, plan.days.to);
      std::int64_t day = kAlways;
      WallTime bucket = in.value_or(WallTime{});
      while (days.step()) {
        if (!in && query.bucket == Bucket::day && day != days.integer(0)) {
          day = days.integer(0);
          bucket = own.day_begin(static_cast<std::int32_t>(day));
        }
        const Key key{project, static_cast<NameId>(days.integer(1)), static_cast<NameId>(days.integer(2))};
        if (asked_for(key)) whole_days.add(bucket, key, read_totals(days, 3));
      }
      days.reset();
    };

    if (query.bucket == Bucket::hour) {
      reads[range][{Bucket::hour, {}, zone.name(), false}].insert(project);
    } else if (query.bucket == Bucket::none || zone.name() == own.name()) {
      read(range, std::nullopt);
    } else {
      if (foreign.empty()) foreign = days_in(zone, covered(range));
      for (const auto& [begin, part] : foreign) read(part, begin);
    }
  }

  auto minutes = db.prepare((std::string("SELECT minute, project, model, consumer, ") + kTotals +
                             " FROM minutes WHERE minute >= ? AND minute < ?")
                                .c_str());
  for (const auto& [read, uses] : reads) {
    struct Adding {
      Buckets buckets;
      const Use& use;
      const std::set<NameId>& projects;
      Sums::Run run;
    };
    std::vector<Adding> adding;
    adding.reserve(uses.size());
    for (const auto& [use, projects] : uses)
      adding.push_back(
          {Buckets(use.bucket, Zone::find(use.zone).value_or(Zone::utc())), use, projects, Sums::Run(sums)});
    minutes.bind(read.from, read.to);
    while (minutes.step()) {
      const Key key{static_cast<NameId>(minutes.integer(1)), static_cast<NameId>(minutes.integer(2)),
                    static_cast<NameId>(minutes.integer(3))};
      if (!asked_for(key)) continue;
      std::optional<Totals> totals;  // read if somebody wants them
      for (Adding& to : adding) {
        if (!to.projects.contains(key.project)) continue;
        if (!totals) totals = read_totals(minutes, 4);
        const WallTime bucket =
            to.use.bucket == Bucket::none ? to.use.begin : to.buckets.of(minutes.integer(0));
        to.run.add(bucket, key, to.use.subtract ? negative(*totals) : *totals);
      }
    }
    minutes.reset();
  }
  return sums.rows([this](NameId id) -> const std::string& { return name(id); });
}

}  // namespace weir::ledger
