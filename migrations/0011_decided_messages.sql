-- Which topic of the stream a topic of kept events is: one that was made anew under the same name has another identity.
create table featuregraph.stream_topics (
  project text not null,
  name text not null,
  identity text not null,
  topic_id integer not null references featuregraph.event_topics (id),
  primary key (project, name)
);

-- Messages of a stream that are put aside stand with their place and their bytes; null for pushed and imported rows.
alter table featuregraph.quarantine
  add column topic_id integer references featuregraph.event_topics (id),
  add column partition integer,
  add column "offset" bigint,
  add column message_key bytea,
  add column message bytea,
  -- Whether the topic of dead letters has it too.
  add column published boolean;

create index quarantine_messages on featuregraph.quarantine (project, id) where topic_id is not null;
create index quarantine_unpublished on featuregraph.quarantine (project, id) where not published;

-- All that stood in the stream's partition at this moment is decided. Null for logs and files, which are always level.
alter table featuregraph.event_positions add column level_at timestamptz;

-- Raised by every deletion: who holds events in memory sees that some may be gone.
alter table featuregraph.deletion_secrets add column marks bigint not null default 0;

-- The latest moment at which an event of a source with ids was kept: of one id the one that was kept first counts, by moments
-- that rise whatever the clocks of the writers say.
create table featuregraph.event_clocks (
  project text not null,
  source text not null,
  kept_at timestamptz not null,
  primary key (project, source)
);
