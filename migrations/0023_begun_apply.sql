-- The change of the registry that was begun and has not ended: at most one a project. Its holder renews the lease; once that
-- has expired another process finishes the change, or begins its own.
create table featuregraph.begun_applies (
  project text primary key,
  kind text not null check (kind in ('APPLY', 'ROLLBACK', 'PRUNE')),
  -- The version that was current; 0: none.
  base integer not null,
  -- What it is to make current, as in registry_versions.
  digest text not null,
  format integer not null,
  content json not null,
  begun_by text not null,
  message text,
  begun_at timestamptz not null,
  -- What has been done, a line each.
  done text[] not null default '{}',
  -- A process, by a random id.
  holder text not null,
  expires_at timestamptz not null
);
