-- What was imported from which file: the same bytes again add nothing, under whatever name.
create table featuregraph.imports (
  project text not null,
  -- EVENTS or ROWS: what `target` names, an event source or a feature view.
  kind text not null,
  target text not null,
  -- sha-256 of the file's bytes, in hex.
  digest text not null,
  file text not null,
  rows_read bigint,
  rows_kept bigint,
  imported_at timestamptz not null,
  primary key (project, kind, target, digest)
);

-- Where a quarantined row stood in its file; null for pushed ones.
alter table featuregraph.quarantine add column file text, add column row_number bigint;
