-- The tiles of a streamed view in the online store, under keys of their own for each generation. Readers take the live one;
-- one is built beside it when the windows change, or when a rebuild is asked for.
create table featuregraph.tile_generations (
  project text not null,
  view_id text not null,
  -- Of the windows: a gateway with other definitions has generations of its own.
  fingerprint bigint not null,
  generation integer not null,
  state text not null check (state in ('BUILDING', 'LIVE', 'RETIRED')),
  changed_at timestamptz not null,
  -- All that had happened in the stream and been kept by this moment is in the tiles; null: it never was level.
  level_at timestamptz,
  primary key (project, view_id, fingerprint, generation),
  foreign key (project, view_id) references featuregraph.views (project, id)
);

create unique index tile_generations_in_use on featuregraph.tile_generations (project, view_id, fingerprint, state)
  where state <> 'RETIRED';
