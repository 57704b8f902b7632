-- Which processes of a project run. Each writes its row every few seconds and removes it at a clean end; one that is not
-- written any more is of a process that ended otherwise. Nothing is lost when the table is emptied.
create unlogged table featuregraph.processes (
  project text not null,
  -- Also the holder in online_guards.
  id uuid not null,
  kind text not null,
  -- The background work that this process runs as long as it lives, and the work that it leads now.
  runs text[] not null,
  leads text[] not null,
  version text not null,
  -- Of the definitions that it started with.
  definitions text not null,
  host text not null,
  pid integer not null,
  started_at timestamptz not null,
  last_seen_at timestamptz not null,
  primary key (project, id)
);
