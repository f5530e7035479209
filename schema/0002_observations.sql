-- What others used of an exhausted limit, and when a call may find out whether it is open again (0: not before its end).
ALTER TABLE observations ADD COLUMN elsewhere INTEGER NOT NULL DEFAULT 0;
ALTER TABLE observations ADD COLUMN probe_us INTEGER NOT NULL DEFAULT 0;
