-- By which definition of its source a file was imported: digests of how its rows were read, and of what was expected of them.
-- Null: before this was recorded. A file may come again by another one; `times` counts how often it came.
alter table featuregraph.imports
  add column definition text,
  add column expected text,
  add column times integer not null default 1;
