-- The definitions, version by version: the newest is what every process serves. A version never changes.
create table featuregraph.registry_versions (
  project text not null,
  version integer not null,
  -- Of what the definitions say.
  digest text not null,
  -- How `content` is written; a program that does not know it keeps what it serves.
  format integer not null,
  -- Definitions and the names by which stored rows know them. Not jsonb: the order of features is part of a definition.
  content json not null,
  -- In which version each definition last changed.
  changed_in jsonb not null,
  changes text[] not null,
  applied_at timestamptz not null,
  applied_by text not null,
  message text,
  program text not null,
  primary key (project, version)
);
