-- Entities that were deleted: their rows and events up to then are refused for ever. Which they are is kept as a digest
-- only, keyed by a secret of the project.
create table featuregraph.deletion_secrets (
  project text primary key,
  secret bytea not null
);

create table featuregraph.deletions (
  project text not null,
  -- sha256 of the secret and, per join key, `<name>:<bytes of the value>:<value>,`.
  digest bytea not null,
  entity text not null,
  deleted_at timestamptz not null,
  primary key (project, digest, entity)
);

-- Entities of which any was deleted, with the join keys of then ([{ "name", "type" }, …]): a few rows, which say
-- whether a writer has anything to look up at all.
create table featuregraph.deleted_kinds (
  project text not null,
  entity text not null,
  join_keys jsonb not null,
  primary key (project, entity, join_keys)
);

-- Keys of rows that were deleted and whose tombstones are still to be put into the online store. Gone when they are.
create table featuregraph.deletion_online_keys (
  project text not null,
  digest bytea not null,
  view text not null,
  key jsonb not null,
  primary key (project, digest, view, key)
);
