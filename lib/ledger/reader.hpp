// Reads the ledger on a connection of its own, beside the writer (WAL). One thread at a time per Reader.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "ledger/ledger.hpp"
#include "time/zone.hpp"

namespace weir::ledger {

struct CallFilter {
  std::string project, model, consumer;  // empty: any
  std::optional<int> status;
  std::optional<WallTime> since, until;  // [since, until) of the admission
  CallId before = 0;                     // cursor: only ids below; 0: from the newest
  std::size_t limit = 100;
};

enum class Bucket : std::uint8_t { none, hour, day };

struct UsageQuery {
  std::optional<WallTime> since, until;
  bool by_project = true, by_model = true, by_consumer = true;
  Bucket bucket = Bucket::none;
  std::optional<Zone> zone;  // of day buckets; default: the project's own
  std::function<Zone(std::string_view project)> project_zone;
};

struct UsageRow {
  std::optional<WallTime> bucket_start;
  std::string project, model, consumer;  // empty where not grouped by
  Totals totals;
};

class Reader {
 public:
  explicit Reader(const std::string& path);  // throws OpenError
  ~Reader();

  // Newest first. Walks the primary key; never sorts.
  std::vector<Call> calls(const CallFilter& filter);
  std::optional<Call> call(CallId id);
  std::optional<IdempotencyKey> idempotency(std::uint64_t hash_high, std::uint64_t hash_low);
  // From the totals of days where they suffice, of minutes for the rest; never from single calls.
  std::vector<UsageRow> usage(const UsageQuery& query);
  std::string name(NameId id);

  // --- recovery ---
  Anchor anchor();
  CallId last_id();
  CallId oldest_open();
  std::vector<std::pair<NameId, std::string>> names();
  std::vector<IdempotencyKey> idempotency_keys();  // without answers
  std::vector<Observation> observations();
  // Every call with id >= from, ascending.
  void each_call(CallId from, const std::function<void(const Call&)>& visit);
  // Every closed call whose outcome straddles and whose latest moment (id + skew + span, wall) is at or after `from`, by a
  // partial index; any order.
  void each_straddler(WallTime from, const std::function<void(const Call&)>& visit);
  // Sums of `charged` of closed calls over [from, to) minutes, per key; from totals only.
  void sum_minutes(std::int64_t from, std::int64_t to, const std::function<void(const Key&, const Amounts&)>& visit);
  // The same over [from, to) local days of each project's zone.
  void sum_days(NameId project, std::int32_t from, std::int32_t to,
                const std::function<void(const Key&, const Amounts&)>& visit);
};

}  // namespace weir::ledger
