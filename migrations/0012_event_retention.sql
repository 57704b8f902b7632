-- Of sources whose old events were dropped: from when on all of them are there. Written before anything is dropped, and
-- never moved back: whatever reaches further into the past is not answered any more.
create table featuregraph.event_retention (
  project text not null,
  source text not null,
  kept_since timestamptz not null,
  primary key (project, source)
);
