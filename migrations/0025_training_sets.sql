-- Training sets that are made over the network: spines that were uploaded, and jobs. The files stand in a folder that all
-- gateways share (FEATUREGRAPH_FILES).
create table featuregraph.spines (
  project text not null,
  id uuid not null default gen_random_uuid(),
  -- Name of the API key.
  owner text not null,
  format text not null,
  row_count bigint not null,
  columns text[] not null,
  bytes bigint not null,
  sha256 text not null,
  created_at timestamptz not null,
  primary key (project, id)
);

create table featuregraph.training_sets (
  project text not null,
  id uuid not null default gen_random_uuid(),
  owner text not null,
  spine_id uuid not null,
  -- What was asked for, and of what.
  request json not null,
  spine json not null,
  idempotency_key text,
  -- Of its creation; the job goes on with it, whatever is applied meanwhile.
  registry_version integer not null,
  definitions text not null,
  state text not null check (state in ('QUEUED', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'EXPIRED')),
  progress double precision not null default 0,
  created_at timestamptz not null,
  started_at timestamptz,
  finished_at timestamptz,
  error text,
  error_code text,
  -- Of a RUNNING one: the attempt that is at work, trusted until then. Attempts count since the last part that was finished.
  holder uuid,
  held_until timestamptz,
  attempts integer not null default 0,
  -- Fixed when it first runs: rows of every part are those visible in this snapshot.
  visible text,
  taken_at timestamptz,
  -- Event source → since when its events were all there, just before.
  stored_since json,
  part_rows bigint,
  card_bytes bigint,
  card_sha256 text,
  primary key (project, id)
);

create unique index training_sets_idempotency on featuregraph.training_sets (project, owner, idempotency_key)
  where idempotency_key is not null;
create index training_sets_newest on featuregraph.training_sets (project, created_at desc, id desc);
create index training_sets_waiting on featuregraph.training_sets (project, created_at) where state in ('QUEUED', 'RUNNING');

create table featuregraph.training_set_parts (
  project text not null,
  set_id uuid not null,
  part integer not null,
  -- Its name in the set's folder: every attempt has its own.
  file text not null,
  row_count bigint not null,
  bytes bigint not null,
  sha256 text not null,
  -- What the card is made of.
  made json not null,
  primary key (project, set_id, part),
  foreign key (project, set_id) references featuregraph.training_sets (project, id) on delete cascade
);
