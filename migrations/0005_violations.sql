-- Values that broke an expectation when they entered, or when what is stored was validated.

create table featuregraph.violations (
  id bigint generated always as identity primary key,
  project text not null,
  view text not null,
  feature text,
  key text[] not null,
  rule text not null,
  value text,
  bound text,
  message text not null,
  action text not null,
  event_timestamp timestamptz,
  recorded_at timestamptz not null
);

create index violations_newest on featuregraph.violations (project, recorded_at desc, id desc);
create index violations_of_view on featuregraph.violations (project, view, recorded_at desc, id desc);

-- Rows that were kept out of both stores, as they came, with the reason.
create table featuregraph.quarantine (
  id bigint generated always as identity primary key,
  project text not null,
  view text not null,
  content jsonb not null,
  reason text not null,
  recorded_at timestamptz not null
);
