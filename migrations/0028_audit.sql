-- Who changed what, and who was refused, where FEATUREGRAPH_AUDIT is `table`. Rows go by FEATUREGRAPH_AUDIT_RETENTION.
create table featuregraph.audit (
  project text not null,
  id bigint generated always as identity primary key,
  recorded_at timestamptz not null default now(),
  -- Name of the API key, `loopback`, `anonymous`, or the user of a command; null: not known.
  who text,
  address text,
  -- Null of a command.
  request_id text,
  action text not null,
  -- The view, source, entity, training set or version that it is about.
  subject text,
  -- `DONE`, or the code of the error.
  outcome text not null,
  -- Rows, or how many refused calls the row stands for.
  count bigint not null
);

create index audit_newest on featuregraph.audit (project, recorded_at);

-- Receipts go by FEATUREGRAPH_PUSH_RECEIPT_RETENTION.
create index push_receipts_oldest on featuregraph.push_receipts (project, created_at);
