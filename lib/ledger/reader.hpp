// Reads the ledger on a connection of its own, beside the writer (WAL). One thread at a time per Reader.
//
// Failures throw OpenError with words for an operator; a file that was deleted and made anew is followed.
// Each function reads one snapshot; a visitor may call other functions, which then read the same one.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ledger/ledger.hpp"
#include "time/zone.hpp"

namespace weir::ledger {

struct CallFilter {
  std::string project, model, consumer;  // empty: any
  std::optional<int> status;             // upstream's, of closed calls
  std::optional<WallTime> since, until;  // [since, until) of the admission
  CallId before = 0;                     // cursor: only ids below; 0: from the newest
  std::size_t limit = 100;               // rows in a page
  std::size_t examine = 20'000;  // calls looked at for a page, some 20 ms: a rare match takes more pages
};

// May hold fewer calls than asked for, even none, and yet not be the last.
struct CallPage {
  std::vector<Call> calls;  // newest first
  CallId next = 0;          // `before` of the next page; 0: this was the last
};

enum class Bucket : std::uint8_t { none, hour, day };

// Range and buckets refer to the admission's wall clock. Hours are those of UTC.
struct UsageQuery {
  std::optional<WallTime> since, until;  // exact to the minute: since is rounded down, until up
  bool by_project = true, by_model = true, by_consumer = true;
  std::string consumer;  // only that one's; empty: all
  Bucket bucket = Bucket::none;
  std::optional<Zone> zone;  // of day buckets; default: the project's own
  // The zone in which the project's local days were counted; default: UTC for all.
  std::function<Zone(std::string_view project)> project_zone;
};

struct UsageRow {
  std::optional<WallTime> bucket_start;  // unless Bucket::none
  std::string project, model, consumer;  // empty where not grouped by
  Totals totals;                         // without `charged`, which is for the recovery
};

class Reader {
 public:
  explicit Reader(const std::string& path);  // throws OpenError
  ~Reader();
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // From here on every function reads the one snapshot that there is now. The thread may change between two
  // calls.
  void pin();

  // Walks the primary key backwards; never sorts.
  CallPage calls(const CallFilter& filter);
  std::optional<Call> call(CallId id);
  // From totals of days where they suffice, of minutes for the rest (all of them for hours; at most half of
  // each day for days of a zone that is not the project's); never from single calls. Ordered by bucket,
  // project, model, consumer. Costs half a microsecond per total read: a year of days is cheap.
  std::vector<UsageRow> usage(const UsageQuery& query);
  std::string name(NameId id);  // "" if there is none

  // --- recovery ---
  Anchor anchor();
  CallId last_id();  // 0: no call yet
  CallId oldest_open();
  std::vector<std::pair<NameId, std::string>> names();
  std::vector<IdempotencyKey> idempotency_keys();  // oldest first, by ascending call
  std::vector<Observation> observations();
  std::vector<Correction> corrections();
  std::vector<DayZone> day_zones();
  // Every call with id >= from, ascending.
  void each_call(CallId from, const std::function<void(const Call&)>& visit);
  // Every closed call whose outcome straddles and whose latest moment (its admission, if that is later) is at
  // or after `from`; by a partial index, any order.
  void each_straddler(SteadyTime from, const std::function<void(const Call&)>& visit);
  // The same on the wall clock, of calls admitted before `before`.
  void each_straddler(WallTime from, WallTime before, const std::function<void(const Call&)>& visit);
  // Of the oldest totals, since 1970; nullopt: no call yet.
  std::optional<std::int64_t> first_minute();
  // Sums of `charged` of closed calls over [from, to) minutes, per key; from totals only.
  void sum_minutes(std::int64_t from, std::int64_t to,
                   const std::function<void(const Key&, const Amounts&)>& visit);
  // The same over [from, to) local days of each project's zone.
  void sum_days(NameId project, std::int32_t from, std::int32_t to,
                const std::function<void(const Key&, const Amounts&)>& visit);

 private:
  class Connection;
  struct Pinned;
  // Runs `read` on a connection to the file that is there now, in one snapshot.
  template <typename Read>
  auto with(Read read);

  const std::string path_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<Pinned> pinned_;
};

}  // namespace weir::ledger
