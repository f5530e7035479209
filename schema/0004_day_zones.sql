-- In which zone a project's local days are cut, and since when: rows of `days` from before are cut in another.
CREATE TABLE day_zones (
  project INTEGER PRIMARY KEY,
  zone TEXT NOT NULL,
  since_minute INTEGER NOT NULL -- of the wall clock, since 1970; 0: always, as far as is known
) STRICT;
