-- The first ledger. All instants are microseconds; money is billionths of a US dollar.
--
-- No secondary index that an ordinary call pays for: keys ascend, so that every insert goes to the end of its table, and
-- reports read totals. One secondary index costs a factor of 2 to 4, a UNIQUE one over random text a factor of 50.

CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO meta VALUES
  ('anchor_boot_id', ''),     -- boot of the kernel in which the steady axis was last tied to CLOCK_BOOTTIME
  ('anchor_offset_us', 0),    -- steady axis minus CLOCK_BOOTTIME in that boot
  ('last_batch', 0),          -- number of the last committed batch: tells whether an unclear COMMIT took place
  ('max_skew_us', 0),         -- no admission's skew_us is above ...
  ('min_skew_us', 0),         -- ... or below: turns a range of the wall clock into a range of ids
  ('oldest_open', 0);         -- recovery looks for open calls from this id on

CREATE TABLE names (          -- projects, models and consumers, interned
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE admissions (
  id INTEGER PRIMARY KEY,     -- the admission on the steady axis: unique, ascending
  project INTEGER NOT NULL,
  model INTEGER NOT NULL,
  consumer INTEGER NOT NULL,
  skew_us INTEGER NOT NULL,   -- id + skew_us is the wall clock, microseconds since 1970
  lease_us INTEGER NOT NULL,
  waited_us INTEGER NOT NULL,
  local_day INTEGER NOT NULL, -- days since 1970-01-01 in the project's time zone
  requests INTEGER NOT NULL,  -- from here on: what was held for it, the estimate
  input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  images INTEGER NOT NULL,
  cost INTEGER NOT NULL
) STRICT;

CREATE TABLE outcomes (       -- of closed calls; a late settlement replaces the row
  id INTEGER PRIMARY KEY,
  state INTEGER NOT NULL,     -- 1 settled, 2 expired, 3 cancelled
  span_us INTEGER NOT NULL,   -- latest moment at which upstream can have counted it, minus admission
  settled_us INTEGER NOT NULL,
  latency_us INTEGER NOT NULL, -- -1: not told
  status INTEGER NOT NULL,    -- HTTP status of the upstream; 0: none
  input_tokens INTEGER NOT NULL,
  cached_input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  thoughts_tokens INTEGER NOT NULL,
  tool_use_tokens INTEGER NOT NULL,
  images INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  charged_requests INTEGER NOT NULL,
  charged_input_tokens INTEGER NOT NULL,
  charged_output_tokens INTEGER NOT NULL,
  charged_images INTEGER NOT NULL,
  charged_cost INTEGER NOT NULL,
  estimated INTEGER NOT NULL,
  straddles INTEGER NOT NULL,
  latest_us INTEGER,          -- of those that straddle: id + max(span, 0), on the steady axis; else NULL
  fingerprint INTEGER NOT NULL
) STRICT;
-- Only the few calls around a quarter of an hour pay for it.
CREATE INDEX straddlers ON outcomes(latest_us) WHERE straddles = 1;

-- Totals. Minutes begin with the time, because their reports do, and so that writes stay at the end of the table. Days
-- begin with the project, because each project has its own time zone, hence its own range of days.
CREATE TABLE minutes (
  minute INTEGER NOT NULL,    -- of the admission's wall clock, since 1970
  project INTEGER NOT NULL,
  model INTEGER NOT NULL,
  consumer INTEGER NOT NULL,
  calls INTEGER NOT NULL,
  errors INTEGER NOT NULL,
  denied INTEGER NOT NULL,
  expired INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  cached_input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  thoughts_tokens INTEGER NOT NULL,
  tool_use_tokens INTEGER NOT NULL,
  images INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  charged_requests INTEGER NOT NULL,
  charged_input_tokens INTEGER NOT NULL,
  charged_output_tokens INTEGER NOT NULL,
  charged_images INTEGER NOT NULL,
  charged_cost INTEGER NOT NULL,
  PRIMARY KEY (minute, project, model, consumer)
) STRICT, WITHOUT ROWID;

CREATE TABLE days (
  project INTEGER NOT NULL,
  local_day INTEGER NOT NULL, -- in the project's time zone
  model INTEGER NOT NULL,
  consumer INTEGER NOT NULL,
  calls INTEGER NOT NULL,
  errors INTEGER NOT NULL,
  denied INTEGER NOT NULL,
  expired INTEGER NOT NULL,
  input_tokens INTEGER NOT NULL,
  cached_input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  thoughts_tokens INTEGER NOT NULL,
  tool_use_tokens INTEGER NOT NULL,
  images INTEGER NOT NULL,
  cost INTEGER NOT NULL,
  charged_requests INTEGER NOT NULL,
  charged_input_tokens INTEGER NOT NULL,
  charged_output_tokens INTEGER NOT NULL,
  charged_images INTEGER NOT NULL,
  charged_cost INTEGER NOT NULL,
  PRIMARY KEY (project, local_day, model, consumer)
) STRICT, WITHOUT ROWID;

-- Bounded to a day and 100,000 rows. Read once, at start: a running daemon has them all in memory. Keyed by the call, which
-- ascends, so that old rows are one range at the front; a table keyed by the hash would rewrite a random page per row. The first
-- answer is not kept: it is made again from the admission.
CREATE TABLE idempotency (
  call INTEGER PRIMARY KEY,
  hash_high INTEGER NOT NULL,
  hash_low INTEGER NOT NULL,
  body_hash INTEGER NOT NULL
) STRICT;

CREATE TABLE observations (   -- what upstream answers taught
  id INTEGER PRIMARY KEY,
  project INTEGER NOT NULL,
  model TEXT NOT NULL,
  limit_name TEXT NOT NULL,
  kind TEXT NOT NULL,
  amount INTEGER NOT NULL,    -- -1: none
  until_us INTEGER NOT NULL,
  seen_us INTEGER NOT NULL,
  evidence TEXT NOT NULL
) STRICT;
