-- What was run when and with which outcome, and how far each view has been carried online.

create table featuregraph.runs (
  id uuid primary key default gen_random_uuid(),
  project text not null,
  kind text not null,
  view text,
  as_of timestamptz,
  state text not null,
  started_at timestamptz not null,
  finished_at timestamptz,
  rows_read bigint,
  rows_written bigint,
  error text
);

create index runs_newest on featuregraph.runs (project, started_at desc, id desc);

create index runs_running on featuregraph.runs (project) where state = 'RUNNING';

create table featuregraph.watermarks (
  project text not null,
  view_id text not null,
  -- pg_snapshot_xmin of the last good run: rows of this transaction or a later one may not have been seen.
  snapshot_xmin xid8 not null,
  -- The run's now: rows due later were left for a later run.
  carried_until timestamptz not null,
  -- Another database (a restore, a copy) has other transaction ids.
  system_identifier text not null,
  -- Also in the online store: a store that lacks it has lost rows.
  marker text not null,
  primary key (project, view_id),
  foreign key (project, view_id) references featuregraph.views (project, id)
);

-- One row: stands in for the system identifier where the server does not tell it.
create table featuregraph.database_identity (
  id uuid not null
);
insert into featuregraph.database_identity values (gen_random_uuid());
