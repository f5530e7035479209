#include "ledger/store.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <sqlite3.h>

#include "ledger/file.hpp"

namespace weir::ledger {
namespace {

constexpr int kPruneChunk = 256;  // calls a transaction: about a millisecond
constexpr std::int64_t kDayUs = 86'400'000'000;
constexpr std::int64_t kMaxIdempotencyKeys = 100'000;
// The bounds of the skew move in steps, lest a slewed clock rewrite them with every batch.
constexpr std::int64_t kSkewStepUs = 1'000'000;

// Of a key in a minute or a day: ten million dollars, in billionths.
constexpr std::int64_t kMostTotal = 10'000'000'000'000'000;

// What a statement of one row costs beside the row, it costs once for so many: a quarter less for each.
constexpr std::size_t kRowsAtOnce = 8;

std::string admission_insert(std::size_t rows) {
  std::string sql = "INSERT INTO admissions VALUES ";
  for (std::size_t row = 0; row < rows; ++row)
    sql += row == 0 ? "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)" : ",(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";
  return sql;
}

std::string outcome_insert(std::size_t rows) {
  std::string sql = "INSERT OR REPLACE INTO outcomes VALUES ";
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t before = row * 21;
    sql += fmt::format(
        "{}(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?, CASE WHEN ?{} THEN ?{} + max(?{}, 0) END, ?{})",
        row == 0 ? "" : ",", before + 20, before + 1, before + 3, before + 21);
  }
  return sql;
}

// `bind` binds a record to a row of a statement.
template <typename Record, typename Bind>
void insert_rows(std::span<const Record> records, sqlite::Statement& one, sqlite::Statement& many,
                 Bind bind) {
  for (; records.size() >= kRowsAtOnce; records = records.subspan(kRowsAtOnce)) {
    for (std::size_t row = 0; row < kRowsAtOnce; ++row) bind(many, static_cast<int>(row), records[row]);
    many.run();
  }
  for (const Record& record : records) {
    bind(one, 0, record);
    one.run();
  }
}

void bind_admission(sqlite::Statement& statement, int row, const Admission& a) {
  statement.bind_row(row, a.id, std::int64_t{a.key.project}, std::int64_t{a.key.model},
                     std::int64_t{a.key.consumer}, a.skew_us, a.lease_us, a.waited_us,
                     std::int64_t{a.local_day}, a.held.requests, a.held.input_tokens, a.held.output_tokens,
                     a.held.images, a.held.cost, a.estimate, std::int64_t{a.uncertain});
}

void bind_outcome(sqlite::Statement& statement, int row, const Outcome& o) {
  statement.bind_row(row, o.id, std::int64_t(o.state), o.span_us, o.settled_us, o.latency_us,
                     std::int64_t{o.status}, o.usage.input_tokens, o.usage.cached_input_tokens,
                     o.usage.output_tokens, o.usage.thoughts_tokens, o.usage.tool_use_tokens, o.usage.images,
                     o.cost, o.charged.requests, o.charged.input_tokens, o.charged.output_tokens,
                     o.charged.images, o.charged.cost, std::int64_t{o.estimated}, std::int64_t{o.straddles},
                     static_cast<std::int64_t>(o.fingerprint));
}

std::string totals_upsert(std::string_view table, std::string_view keys) {
  std::string updates;
  for (const char* column :
       {"calls", "errors", "denied", "expired", "input_tokens", "cached_input_tokens", "output_tokens",
        "thoughts_tokens", "tool_use_tokens", "images", "cost", "charged_requests", "charged_input_tokens",
        "charged_output_tokens", "charged_images", "charged_cost"}) {
    // Bounded: a sum that leaves 64 bits would be refused with its whole batch, and sums over many such rows
    // would fail too.
    updates += fmt::format("{}{} = max(-{}, min({}, {} + excluded.{}))", updates.empty() ? "" : ", ", column,
                           kMostTotal, kMostTotal, column, column);
  }
  return fmt::format(
      "INSERT INTO {} VALUES (?,?,?,?, ?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT ({}) DO UPDATE SET {}",
      table, keys, updates);
}

void upsert(sqlite::Statement& statement, std::int64_t first, std::int64_t second, const TotalsDelta& delta) {
  const Totals& t = delta.totals;
  statement
      .bind(first, second, std::int64_t{delta.key.model}, std::int64_t{delta.key.consumer}, t.calls, t.errors,
            t.denied, t.expired, t.usage.input_tokens, t.usage.cached_input_tokens, t.usage.output_tokens,
            t.usage.thoughts_tokens, t.usage.tool_use_tokens, t.usage.images, t.cost, t.charged.requests,
            t.charged.input_tokens, t.charged.output_tokens, t.charged.images, t.charged.cost)
      .run();
}

}  // namespace

Store::Store(const std::string& path, Durability durability) : db_(open_for_writing(path, durability)) {
  try {
    name_ = db_.prepare("INSERT OR IGNORE INTO names VALUES (?, ?)");
    admission_ = db_.prepare(admission_insert(1).c_str());
    admissions_ = db_.prepare(admission_insert(kRowsAtOnce).c_str());
    outcome_ = db_.prepare(outcome_insert(1).c_str());
    outcomes_ = db_.prepare(outcome_insert(kRowsAtOnce).c_str());
    // Minutes name the project second, days first.
    minute_ = db_.prepare(totals_upsert("minutes", "minute, project, model, consumer").c_str());
    day_ = db_.prepare(totals_upsert("days", "project, local_day, model, consumer").c_str());
    key_ = db_.prepare("INSERT OR REPLACE INTO idempotency VALUES (?,?,?,?)");
    observation_ = db_.prepare("INSERT OR REPLACE INTO observations VALUES (?,?,?,?,?,?,?,?,?,?,?)");
    forget_ = db_.prepare("DELETE FROM observations WHERE id = ?");
    correction_ = db_.prepare("INSERT OR REPLACE INTO corrections VALUES (?,?,?,?,?)");
    day_zone_ = db_.prepare("INSERT OR REPLACE INTO day_zones VALUES (?,?,?)");
    meta_ = db_.prepare("UPDATE meta SET value = ?2 WHERE key = ?1");
    meta_text_ = db_.prepare("UPDATE meta SET value = ?2 WHERE key = ?1");
    last_batch_ = db_.prepare("SELECT value FROM meta WHERE key = 'last_batch'");
    newest_ = db_.integer("SELECT max(id) FROM admissions");
    oldest_open_ = db_.integer("SELECT value FROM meta WHERE key = 'oldest_open'");
    key_count_ = db_.integer("SELECT count(*) FROM idempotency");
    min_skew_us_ = db_.integer("SELECT value FROM meta WHERE key = 'min_skew_us'");
    max_skew_us_ = db_.integer("SELECT value FROM meta WHERE key = 'max_skew_us'");
  } catch (const sqlite::Error& error) {
    throw OpenError(explain(path, error));
  }
  sqlite3_wal_hook(
      db_.handle(),
      [](void* self, sqlite3*, const char*, int frames) {
        static_cast<Store*>(self)->log_frames_ = frames;
        return SQLITE_OK;
      },
      this);
}

std::int64_t Store::last_batch() {
  sqlite::Resetting resetting(last_batch_);
  return last_batch_.step() ? last_batch_.integer(0) : 0;
}

std::vector<std::pair<NameId, std::string>> Store::names() {
  std::vector<std::pair<NameId, std::string>> names;
  sqlite::Statement select = db_.prepare("SELECT id, name FROM names ORDER BY id");
  while (select.step()) names.emplace_back(static_cast<NameId>(select.integer(0)), select.text(1));
  return names;
}

void Store::put_meta(std::string_view key, std::int64_t value) {
  meta_.bind(key, value).run();
}

void Store::write(const Batch& batch) {
  if (batch.records() == 0 && batch.attempts == 0)
    return;  // only waiters; one that failed writes to try the disk
  const auto [min_skew_us, max_skew_us] = std::pair(min_skew_us_, max_skew_us_);
  try {
    sqlite::Transaction transaction(db_, sqlite::Transaction::Kind::write);
    const std::int64_t goal = batch.sequence + (batch.refusal.calls.empty() ? 0 : 1);
    const std::int64_t done = batch.attempts == 0 ? 0 : last_batch();
    if (batch.attempts > 0 && done >= goal) return;  // an unclear COMMIT did take place
    if (batch.attempts > 0 && done >= batch.sequence) {
      undo(batch.refusal);
    } else {
      insert(batch);
    }
    put_meta("last_batch", goal);
    transaction.commit();
  } catch (...) {
    min_skew_us_ = min_skew_us;
    max_skew_us_ = max_skew_us;
    throw;
  }
  for (const Admission& admission : batch.admissions) newest_ = std::max(newest_, admission.id);
  if (batch.oldest_open != 0) oldest_open_ = batch.oldest_open;
  key_count_ += static_cast<std::int64_t>(batch.idempotency_keys.size());
}

void Store::insert(const Batch& batch) {
  for (const auto& [id, name] : batch.names) name_.bind(std::int64_t{id}, std::string_view(name)).run();
  insert_calls(batch);
  insert_totals(batch.totals);
  for (const IdempotencyKey& key : batch.idempotency_keys) {
    key_.bind(key.call, static_cast<std::int64_t>(key.hash_high), static_cast<std::int64_t>(key.hash_low),
              static_cast<std::int64_t>(key.body_hash))
        .run();
  }
  for (const auto& [forget, o] : batch.observations) {
    if (forget) {
      forget_.bind(o.id).run();
    } else {
      observation_
          .bind(o.id, std::int64_t{o.project}, std::string_view(o.model), std::string_view(o.limit),
                std::string_view(o.kind), o.amount, o.until.time_since_epoch().count(),
                o.seen_at.time_since_epoch().count(), std::string_view(o.evidence), o.elsewhere,
                o.probe_at.time_since_epoch().count())
          .run();
    }
  }
  for (const Correction& c : batch.corrections) {
    correction_
        .bind(std::int64_t{c.key.project}, std::int64_t{c.key.model}, std::int64_t{c.key.consumer},
              std::int64_t{c.uncertain}, std::string_view(c.ratios))
        .run();
  }
  for (const DayZone& z : batch.day_zones)
    day_zone_.bind(std::int64_t{z.project}, std::string_view(z.zone), z.since_minute).run();
  if (batch.anchor) {
    meta_text_.bind(std::string_view("anchor_boot_id"), std::string_view(batch.anchor->boot_id)).run();
    put_meta("anchor_offset_us", batch.anchor->offset_us);
  }
  if (batch.oldest_open != 0) put_meta("oldest_open", batch.oldest_open);
}

void Store::insert_calls(const Batch& batch) {
  insert_rows(std::span(batch.admissions), admission_, admissions_, bind_admission);
  insert_rows(std::span(batch.outcomes), outcome_, outcomes_, bind_outcome);
  bool skew_moved = false;
  for (const Admission& a : batch.admissions) {
    if (a.skew_us < min_skew_us_) min_skew_us_ = a.skew_us - kSkewStepUs, skew_moved = true;
    if (a.skew_us > max_skew_us_) max_skew_us_ = a.skew_us + kSkewStepUs, skew_moved = true;
  }
  if (skew_moved) {
    put_meta("min_skew_us", min_skew_us_);
    put_meta("max_skew_us", max_skew_us_);
  }
}

void Store::insert_totals(std::span<const TotalsDelta> deltas) {
  for (const TotalsDelta& delta : fold_.minutes(deltas))
    upsert(minute_, delta.minute, delta.key.project, delta);
  for (const TotalsDelta& delta : fold_.days(deltas)) upsert(day_, delta.key.project, delta.local_day, delta);
}

void Store::undo(const Refusal& refusal) {
  for (const char* sql : {"DELETE FROM admissions WHERE id = ?", "DELETE FROM outcomes WHERE id = ?",
                          "DELETE FROM idempotency WHERE call = ?"}) {
    sqlite::Statement remove = db_.prepare(sql);
    for (const CallId id : refusal.calls) remove.bind(id).run();
  }
  std::vector<TotalsDelta> negated = refusal.totals;
  for (TotalsDelta& delta : negated) delta.totals = negative(delta.totals);
  insert_totals(negated);
}

bool Store::prune(int retention_days) {
  sqlite::Transaction transaction(db_, sqlite::Transaction::Kind::write);
  // The newest call tells the time: no clock is read here, and a quiet ledger forgets nothing.
  std::int64_t before = newest_ - retention_days * kDayUs;
  if (oldest_open_ != 0) before = std::min(before, oldest_open_);
  sqlite::Statement last = db_.prepare(
      "SELECT max(id), count(*) FROM (SELECT id FROM admissions WHERE id < ?1 ORDER BY id LIMIT ?2)");
  last.bind(before, std::int64_t{kPruneChunk}).step();
  const std::int64_t calls = last.integer(1);
  if (calls > 0) {
    const CallId id = last.integer(0);
    last.reset();
    db_.prepare("DELETE FROM admissions WHERE id <= ?").bind(id).run();
    db_.prepare("DELETE FROM outcomes WHERE id <= ?").bind(id).run();
  }
  std::int64_t keys = 0;
  const auto forget = [&](const char* sql, std::int64_t argument) {
    db_.prepare(sql).bind(argument, std::int64_t{kPruneChunk}).run();
    keys += sqlite3_changes64(db_.handle());
  };
  forget(
      "DELETE FROM idempotency WHERE call IN (SELECT call FROM idempotency WHERE call < ? ORDER BY call "
      "LIMIT ?)",
      newest_ - kDayUs);
  const std::int64_t excess = std::max<std::int64_t>(key_count_ - keys - kMaxIdempotencyKeys, 0);
  forget("DELETE FROM idempotency WHERE call IN (SELECT call FROM idempotency ORDER BY call LIMIT min(?, ?))",
         excess);
  if (calls == 0 && keys == 0) return false;  // nothing to commit
  transaction.commit();
  key_count_ -= keys;
  return true;
}

void Store::copy_to(const std::string& path) {
  sqlite::Database copy(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  sqlite3_backup* backup = sqlite3_backup_init(copy.handle(), "main", db_.handle(), "main");
  if (backup != nullptr) {
    sqlite3_backup_step(backup, -1);  // all pages; the copy's error code tells how it went
    sqlite3_backup_finish(backup);
  }
  if (const int code = sqlite3_extended_errcode(copy.handle()); code != SQLITE_OK)
    throw sqlite::Error(code, sqlite3_errmsg(copy.handle()));
}

bool Store::checkpoint(Checkpoint mode) {
  int frames = 0;
  int done = 0;
  const int code = sqlite3_wal_checkpoint_v2(
      db_.handle(), nullptr,
      mode == Checkpoint::passive ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_RESTART, &frames, &done);
  return code == SQLITE_OK && frames == done;
}

}  // namespace weir::ledger
