-- What the gateway knows about its definitions beyond the files: ids that stand in keys, and every row layout ever written.

create table featuregraph.views (
  project text not null,
  id text not null,
  name text not null,
  created_at timestamptz not null default now(),
  primary key (project, id),
  unique (project, name)
);

create table featuregraph.row_layouts (
  fingerprint bigint primary key,
  project text not null,
  view_id text not null,
  layout jsonb not null,
  created_at timestamptz not null default now(),
  foreign key (project, view_id) references featuregraph.views (project, id)
);

-- A project that holds the demo world. The demo writes to no other project.
create table featuregraph.demo_projects (
  project text primary key,
  seed integer not null,
  history_from timestamptz not null,
  seeded_until timestamptz
);
