-- How far the events of each partition are kept: who applies them reads on from where it was.
create table featuregraph.event_positions (
  project text not null,
  source text not null,
  topic_id integer not null references featuregraph.event_topics (id),
  partition integer not null,
  next_offset bigint not null,
  primary key (project, source, topic_id, partition)
);
