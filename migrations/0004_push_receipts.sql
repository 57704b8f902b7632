-- What a push with an idempotency key was answered, so that its retry writes nothing and is answered alike.

create table featuregraph.push_receipts (
  project text not null,
  view_id text not null,
  idempotency_key text not null,
  -- Of the rows: the same key with other rows is a mistake of the caller's.
  digest text not null,
  answer jsonb not null,
  created_at timestamptz not null default now(),
  primary key (project, view_id, idempotency_key)
);
