-- What is stored knows the definition that computed it: of each definition that a view ever had, per feature, a digest of
-- what its values mean.
create table featuregraph.view_definitions (
  project text not null,
  view_id text not null,
  -- Of all the features' digests; of snapshots computed before this migration, the text that was recorded with them.
  definition text not null,
  digests jsonb not null,
  -- When a process last started with it.
  used_at timestamptz not null default now(),
  primary key (project, view_id, definition),
  foreign key (project, view_id) references featuregraph.views (project, id)
);

-- A snapshot that was recomputed by another definition: until then it was of this one, which is what `knownAt` asks for.
create table featuregraph.superseded_definitions (
  project text not null,
  view_id text not null,
  as_of timestamptz not null,
  definition text not null,
  superseded_at timestamptz not null,
  primary key (project, view_id, as_of, superseded_at),
  foreign key (project, view_id) references featuregraph.views (project, id)
);

-- By which definition rows of this layout were computed; null: it is not known yet, or rows mean what their writer says.
alter table featuregraph.row_layouts add column definition text;

-- `definition`: by which the rows of the last complete materialize were computed. `filling`: by which another one has begun
-- to write, so that rows of both may stand online.
alter table featuregraph.watermarks add column definition text, add column filling text;
