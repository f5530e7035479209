#include "ledger/reader.hpp"

#include <limits>

#include "ledger/connection.hpp"

namespace weir::ledger {
namespace {

constexpr const char* kAdmissionColumns =
    "a.id, a.project, a.model, a.consumer, a.skew_us, a.lease_us, a.waited_us, a.local_day, a.requests, "
    "a.input_tokens, a.output_tokens, a.images, a.cost, a.estimate, a.uncertain";
constexpr int kAdmissionCount = 15;
constexpr const char* kOutcomeColumns =
    "o.id, o.state, o.span_us, o.settled_us, o.latency_us, o.status, o.input_tokens, o.cached_input_tokens, "
    "o.output_tokens, o.thoughts_tokens, o.tool_use_tokens, o.images, o.cost, o.charged_requests, "
    "o.charged_input_tokens, o.charged_output_tokens, o.charged_images, o.charged_cost, o.estimated, "
    "o.straddles, "
    "o.fingerprint";

Key read_key(const sqlite::Statement& row, int column) {
  return {static_cast<NameId>(row.integer(column)), static_cast<NameId>(row.integer(column + 1)),
          static_cast<NameId>(row.integer(column + 2))};
}

Amounts read_amounts(const sqlite::Statement& row, int column) {
  return {row.integer(column), row.integer(column + 1), row.integer(column + 2), row.integer(column + 3),
          row.integer(column + 4)};
}

void read_admission(const sqlite::Statement& row, Admission& admission) {
  admission.id = row.integer(0);
  admission.key = read_key(row, 1);
  admission.skew_us = row.integer(4);
  admission.lease_us = row.integer(5);
  admission.waited_us = row.integer(6);
  admission.local_day = static_cast<std::int32_t>(row.integer(7));
  admission.held = read_amounts(row, 8);
  admission.estimate = row.integer(13);
  admission.uncertain = row.integer(14) != 0;
}

// The columns from `c` on are NULL, hence zero, if there is no outcome.
void read_outcome(const sqlite::Statement& row, int c, Call& call) {
  call.closed = row.integer(c + 1) != 0;
  if (!call.closed) return;
  Outcome& o = call.outcome;
  o.id = row.integer(c);
  o.state = static_cast<State>(row.integer(c + 1));
  o.span_us = row.integer(c + 2);
  o.settled_us = row.integer(c + 3);
  o.latency_us = row.integer(c + 4);
  o.status = static_cast<std::int32_t>(row.integer(c + 5));
  o.usage = {row.integer(c + 6), row.integer(c + 7),  row.integer(c + 8),
             row.integer(c + 9), row.integer(c + 10), row.integer(c + 11)};
  o.cost = row.integer(c + 12);
  o.charged = read_amounts(row, c + 13);
  o.estimated = row.integer(c + 18) != 0;
  o.straddles = row.integer(c + 19) != 0;
  o.fingerprint = static_cast<std::uint64_t>(row.integer(c + 20));
}

Call read_call(const sqlite::Statement& row) {
  Call call;
  read_admission(row, call.admission);
  read_outcome(row, kAdmissionCount, call);
  return call;
}

sqlite::Statement select_calls(const sqlite::Database& db, const char* from) {
  return db.prepare(
      (std::string("SELECT ") + kAdmissionColumns + ", " + kOutcomeColumns + " FROM " + from).c_str());
}

void visit_sums(sqlite::Statement& sums, const std::function<void(const Key&, const Amounts&)>& visit) {
  while (sums.step()) visit(read_key(sums, 0), read_amounts(sums, 3));
}

constexpr const char* kSums =
    "SELECT project, model, consumer, sum(charged_requests), sum(charged_input_tokens), "
    "sum(charged_output_tokens), "
    "sum(charged_images), sum(charged_cost) FROM ";

}  // namespace

struct Reader::Pinned {
  explicit Pinned(Connection& connection) : reading(connection) {}
  Connection::Reading reading;
};

Reader::Reader(const std::string& path) : path_(path), connection_(std::make_unique<Connection>(path)) {}

Reader::~Reader() = default;

template <typename Read>
auto Reader::with(Read read) {
  try {
    if (connection_ && connection_->reading)
      return read(*connection_);  // a visitor asks for more: the same snapshot
    if (!connection_ || identity_of(path_) != connection_->identity) {
      connection_.reset();
      connection_ = std::make_unique<Connection>(path_);
    }
    const Connection::Reading reading(*connection_);
    return read(*connection_);
  } catch (const sqlite::Error& error) {
    throw OpenError(explain(path_, error));
  }
}

void Reader::pin() {
  try {
    pinned_ = std::make_unique<Pinned>(*connection_);
    connection_->db.integer("SELECT count(*) FROM meta");  // a snapshot begins with the first read
  } catch (const sqlite::Error& error) {
    throw OpenError(explain(path_, error));
  }
}

const std::string& Reader::Connection::name(NameId id) {
  static const std::string kNone;
  if (id == 0) return kNone;
  if (const auto found = names_.find(id); found != names_.end()) return found->second;
  sqlite::Statement select = db.prepare("SELECT name FROM names WHERE id = ?");
  if (!select.bind(std::int64_t{id}).step()) return kNone;
  return names_.emplace(id, select.text(0)).first->second;
}

NameId Reader::Connection::id_of(std::string_view name) {
  sqlite::Statement select = db.prepare("SELECT id FROM names WHERE name = ?");
  return select.bind(name).step() ? static_cast<NameId>(select.integer(0)) : 0;
}

CallPage Reader::Connection::calls(const CallFilter& filter) {
  CallPage page;
  Key wanted;
  for (const auto& [name, id] :
       {std::pair(&filter.project, &wanted.project), std::pair(&filter.model, &wanted.model),
        std::pair(&filter.consumer, &wanted.consumer)}) {
    if (name->empty()) continue;
    *id = id_of(*name);
    if (*id == 0) return page;
  }
  // The wall clock's range as a range of ids: exact but for the few that the clock's steps leave to look at.
  CallId first = std::numeric_limits<CallId>::min();
  CallId end = filter.before != 0 ? filter.before : std::numeric_limits<CallId>::max();
  const auto since = filter.since ? filter.since->time_since_epoch().count() : first;
  const auto until =
      filter.until ? filter.until->time_since_epoch().count() : std::numeric_limits<CallId>::max();
  if (filter.since) first = since - db.integer("SELECT value FROM meta WHERE key = 'max_skew_us'");
  if (filter.until)
    end = std::min(end, until - db.integer("SELECT value FROM meta WHERE key = 'min_skew_us'"));

  sqlite::Statement scan = db.prepare((std::string("SELECT ") + kAdmissionColumns +
                                       " FROM admissions a WHERE a.id >= ? AND a.id < ? ORDER BY a.id DESC")
                                          .c_str());
  sqlite::Statement outcome =
      db.prepare((std::string("SELECT ") + kOutcomeColumns + " FROM outcomes o WHERE o.id = ?").c_str());
  scan.bind(first, end);
  CallId last = 0;
  for (std::size_t examined = 0; scan.step(); ++examined) {
    if (page.calls.size() >= filter.limit || examined >= filter.examine) {
      page.next = last;
      break;
    }
    last = scan.integer(0);
    const Key key = read_key(scan, 1);
    const std::int64_t wall = last + scan.integer(4);
    if ((wanted.project != 0 && key.project != wanted.project) ||
        (wanted.model != 0 && key.model != wanted.model) ||
        (wanted.consumer != 0 && key.consumer != wanted.consumer) || wall < since || wall >= until) {
      continue;
    }
    Call call;
    const sqlite::Resetting resetting(outcome);
    if (outcome.bind(last).step()) read_outcome(outcome, 0, call);
    if (filter.status && !(call.closed && call.outcome.status == *filter.status)) continue;
    read_admission(scan, call.admission);
    page.calls.push_back(call);
  }
  return page;
}

CallPage Reader::calls(const CallFilter& filter) {
  return with([&](Connection& c) { return c.calls(filter); });
}

std::optional<Call> Reader::call(CallId id) {
  return with([&](Connection& c) -> std::optional<Call> {
    auto select = select_calls(c.db, "admissions a LEFT JOIN outcomes o ON o.id = a.id WHERE a.id = ?");
    if (!select.bind(id).step()) return std::nullopt;
    return read_call(select);
  });
}

std::vector<UsageRow> Reader::usage(const UsageQuery& query) {
  return with([&](Connection& c) { return c.usage(query); });
}

std::string Reader::name(NameId id) {
  return with([&](Connection& c) { return c.name(id); });
}

Anchor Reader::anchor() {
  return with([](Connection& c) {
    return Anchor{c.db.text("SELECT value FROM meta WHERE key = 'anchor_boot_id'"),
                  c.db.integer("SELECT value FROM meta WHERE key = 'anchor_offset_us'")};
  });
}

CallId Reader::last_id() {
  return with([](Connection& c) { return c.db.integer("SELECT max(id) FROM admissions"); });
}

CallId Reader::oldest_open() {
  return with([](Connection& c) { return c.db.integer("SELECT value FROM meta WHERE key = 'oldest_open'"); });
}

std::vector<std::pair<NameId, std::string>> Reader::names() {
  return with([](Connection& c) {
    std::vector<std::pair<NameId, std::string>> names;
    auto select = c.db.prepare("SELECT id, name FROM names ORDER BY id");
    while (select.step()) names.emplace_back(static_cast<NameId>(select.integer(0)), select.text(1));
    return names;
  });
}

std::vector<IdempotencyKey> Reader::idempotency_keys() {
  return with([](Connection& c) {
    std::vector<IdempotencyKey> keys;
    auto select = c.db.prepare("SELECT hash_high, hash_low, body_hash, call FROM idempotency ORDER BY call");
    while (select.step()) {
      keys.push_back({static_cast<std::uint64_t>(select.integer(0)),
                      static_cast<std::uint64_t>(select.integer(1)),
                      static_cast<std::uint64_t>(select.integer(2)), select.integer(3)});
    }
    return keys;
  });
}

std::vector<Observation> Reader::observations() {
  return with([](Connection& c) {
    std::vector<Observation> observations;
    auto select = c.db.prepare(
        "SELECT id, project, model, limit_name, kind, amount, until_us, seen_us, evidence, "
        "elsewhere, probe_us FROM observations ORDER BY id");
    while (select.step()) {
      Observation& o = observations.emplace_back();
      o.id = select.integer(0);
      o.project = static_cast<NameId>(select.integer(1));
      o.model = select.text(2);
      o.limit = select.text(3);
      o.kind = select.text(4);
      o.amount = select.integer(5);
      o.until = WallTime(Micros(select.integer(6)));
      o.seen_at = WallTime(Micros(select.integer(7)));
      o.evidence = select.text(8);
      o.elsewhere = select.integer(9);
      o.probe_at = WallTime(Micros(select.integer(10)));
    }
    return observations;
  });
}

std::vector<DayZone> Reader::day_zones() {
  return with([](Connection& c) {
    std::vector<DayZone> zones;
    auto select = c.db.prepare("SELECT project, zone, since_minute FROM day_zones");
    while (select.step()) {
      DayZone& zone = zones.emplace_back();
      zone.project = static_cast<NameId>(select.integer(0));
      zone.zone = select.text(1);
      zone.since_minute = select.integer(2);
    }
    return zones;
  });
}

std::vector<Correction> Reader::corrections() {
  return with([](Connection& c) {
    std::vector<Correction> corrections;
    auto select = c.db.prepare("SELECT project, model, consumer, uncertain, ratios FROM corrections");
    while (select.step()) {
      Correction& correction = corrections.emplace_back();
      correction.key = read_key(select, 0);
      correction.uncertain = select.integer(3) != 0;
      correction.ratios = select.text(4);
    }
    return corrections;
  });
}

void Reader::each_call(CallId from, const std::function<void(const Call&)>& visit) {
  with([&](Connection& c) {
    auto select =
        select_calls(c.db, "admissions a LEFT JOIN outcomes o ON o.id = a.id WHERE a.id >= ? ORDER BY a.id");
    select.bind(from);
    while (select.step()) visit(read_call(select));
  });
}

void Reader::each_straddler(SteadyTime from, const std::function<void(const Call&)>& visit) {
  with([&](Connection& c) {
    auto select = select_calls(c.db,
                               "outcomes o INDEXED BY straddlers CROSS JOIN admissions a ON a.id = o.id "
                               "WHERE o.straddles = 1 AND o.latest_us >= ?");
    select.bind(from.time_since_epoch().count());
    while (select.step()) visit(read_call(select));
  });
}

void Reader::each_straddler(WallTime from, WallTime before, const std::function<void(const Call&)>& visit) {
  with([&](Connection& c) {
    // The index alone answers the bounds on the steady axis, which are a little wider than those on the wall
    // clock.
    auto select = select_calls(c.db,
                               "outcomes o INDEXED BY straddlers CROSS JOIN admissions a ON a.id = o.id "
                               "WHERE o.straddles = 1 "
                               "AND o.latest_us >= ?1 - (SELECT value FROM meta WHERE key = 'max_skew_us') "
                               "AND o.id < ?2 - (SELECT value FROM meta WHERE key = 'min_skew_us') "
                               "AND o.latest_us + a.skew_us >= ?1 AND a.id + a.skew_us < ?2");
    select.bind(from.time_since_epoch().count(), before.time_since_epoch().count());
    while (select.step()) visit(read_call(select));
  });
}

std::optional<std::int64_t> Reader::first_minute() {
  return with([](Connection& c) -> std::optional<std::int64_t> {
    auto select = c.db.prepare("SELECT minute FROM minutes ORDER BY minute LIMIT 1");
    if (!select.step()) return std::nullopt;
    return select.integer(0);
  });
}

void Reader::sum_minutes(std::int64_t from, std::int64_t to,
                         const std::function<void(const Key&, const Amounts&)>& visit) {
  with([&](Connection& c) {
    auto sums = c.db.prepare(
        (std::string(kSums) + "minutes WHERE minute >= ? AND minute < ? GROUP BY 1, 2, 3").c_str());
    visit_sums(sums.bind(from, to), visit);
  });
}

void Reader::sum_days(NameId project, std::int32_t from, std::int32_t to,
                      const std::function<void(const Key&, const Amounts&)>& visit) {
  with([&](Connection& c) {
    auto sums = c.db.prepare(
        (std::string(kSums) + "days WHERE project = ? AND local_day >= ? AND local_day < ? GROUP BY 1, 2, 3")
            .c_str());
    visit_sums(sums.bind(std::int64_t{project}, std::int64_t{from}, std::int64_t{to}), visit);
  });
}

}  // namespace weir::ledger
