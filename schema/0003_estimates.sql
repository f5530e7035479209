-- Estimates of a call's input, and what settlements taught about them.

-- The estimate before its correction; 0: the caller stated its input. Recovery needs it to learn from calls that were open.
ALTER TABLE admissions ADD COLUMN estimate INTEGER NOT NULL DEFAULT 0;
ALTER TABLE admissions ADD COLUMN uncertain INTEGER NOT NULL DEFAULT 0; -- 1: the estimate rests on assumed figures

CREATE TABLE corrections (    -- how far estimates were off; written once a minute at the most
  project INTEGER NOT NULL,
  model INTEGER NOT NULL,
  consumer INTEGER NOT NULL,  -- 0: all consumers of the model
  uncertain INTEGER NOT NULL,
  ratios TEXT NOT NULL,       -- "bucket:count ...": a histogram of actual / estimate; admission/estimates.hpp has the buckets
  PRIMARY KEY (project, model, consumer, uncertain)
) STRICT, WITHOUT ROWID;
