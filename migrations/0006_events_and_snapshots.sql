-- Where kept events came from: a topic of a stream, or `file:` and a file's digest. A short number stands for it in the
-- tables of events.
create table featuregraph.event_topics (
  id integer generated always as identity primary key,
  project text not null,
  -- Events of equal timestamps are ordered by it, byte by byte.
  topic text collate "C" not null,
  unique (project, topic)
);

-- Per hour of event time, the latest transaction that kept events of it: a snapshot that was read before is stale.
create table featuregraph.event_arrivals (
  project text not null,
  source text not null,
  hour timestamptz not null,
  latest_xid xid8 not null,
  primary key (project, source, hour)
);

-- Snapshots of batch views that were computed.
create table featuregraph.snapshots (
  project text not null,
  view_id text not null,
  as_of timestamptz not null,
  -- Of the last computation's reading: events of this transaction or a later one may not have been seen.
  snapshot_xmin xid8 not null,
  system_identifier text not null,
  -- Of the view's aggregations: another one means that the snapshot answers another question.
  definition text not null,
  computed_at timestamptz not null,
  primary key (project, view_id, as_of),
  foreign key (project, view_id) references featuregraph.views (project, id)
);
