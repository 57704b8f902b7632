-- What the online store is known to hold. The guard itself stands in the online store (`<epoch>:<tick>`); readers take a
-- view's rows only where a fill is recorded here in the epoch that they read there.
create table featuregraph.online_guards (
  project text primary key,
  -- The process that writes the guard, until its lease expires.
  holder uuid,
  expires_at timestamptz,
  epoch bigint not null default 0,
  -- Of the guard, when the lease was renewed last; it never goes back.
  tick bigint not null default 0,
  -- Counts the checks of the online store; the stream's leader answers each in tile_generations.caught_up_check.
  check_number bigint not null default 0
);

-- Under which key generation the rows of a view are written. A view without a row here: generation 0, never filled.
create table featuregraph.online_views (
  project text not null,
  view_id text not null,
  generation integer not null default 0,
  filled boolean not null default false,
  primary key (project, view_id),
  foreign key (project, view_id) references featuregraph.views (project, id)
);

-- In this epoch the online store holds all rows of the view, under this key generation. Never withdrawn.
create table featuregraph.online_fills (
  project text not null,
  epoch bigint not null,
  view_id text not null,
  generation integer not null,
  primary key (project, epoch, view_id)
);

-- Fronts of online keys that are written no more; their rows are still to be removed.
create table featuregraph.online_leftovers (
  project text not null,
  key_prefix text not null,
  retired_at timestamptz not null default now(),
  primary key (project, key_prefix)
);

-- Tombstones of the last hour, and since each view's last materialize: a store that was set back gets them again.
create table featuregraph.online_tombstones (
  project text not null,
  key text not null,
  view_id text not null,
  deleted_at timestamptz not null,
  expire_after_micros bigint,
  recorded_at timestamptz not null default now(),
  primary key (project, key)
);

-- The marker that a run is about to write to the online store.
alter table featuregraph.watermarks add column next_marker text;

-- In which epoch, and after which check of the online store, the tiles were caught up.
alter table featuregraph.tile_generations add column caught_up_epoch bigint, add column caught_up_check bigint;

-- Online rows are written again after an unclean end, by the guard: they need no log.
alter table featuregraph.online_rows set unlogged;
