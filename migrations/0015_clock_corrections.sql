-- The present, by which moments are set: by the database's clock, which all processes of a project share.
create function featuregraph.moment() returns timestamptz
language sql volatile as $$ select clock_timestamp() $$;

-- The latest moment at which events of the partition were stored: where it lies ahead of the database's clock, that clock
-- has come back, or a process of before set moments by a clock of its own that was ahead.
alter table featuregraph.event_positions add column stored_at timestamptz;

do $$
declare
  found record;
  name text;
begin
  for found in
    select n.nspname as schema, c.relname as source,
      case when n.nspname = 'events' then 'default' else substr(n.nspname, 8) end as project
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where c.relkind = 'p' and (n.nspname = 'events' or starts_with(n.nspname, 'events_'))
      and (select count(*) from pg_attribute as a where a.attrelid = c.oid and not a.attisdropped
        and a.attname in ('topic_id', 'partition', 'offset', 'event_timestamp', 'ingested_at', 'event_id')) = 6
    order by n.nspname, c.relname
  loop
    execute format(
      'update featuregraph.event_positions as p set stored_at = x.stored_at
       from (select topic_id, partition, max(ingested_at) as stored_at from %1$I.%2$I group by topic_id, partition) as x
       where p.project = %3$L and p.source = %2$L and p.topic_id = x.topic_id and p.partition = x.partition',
      found.schema, found.source, found.project);
    -- Events whose moments lie ahead are found by it. Named as a process that may create indexes would name it at its start.
    name := found.source || '_ingested_at';
    if octet_length(name) > 63 then
      name := left(name, 54) || '_' || left(encode(sha256(convert_to(name, 'UTF8')), 'hex'), 8);
    end if;
    execute format('create index if not exists %I on %I.%I using brin (ingested_at)', name, found.schema, found.source);
  end loop;
end $$;

-- Of a source whose stored moments lay ahead of the database's clock: they were set to the present.
create table featuregraph.clock_corrections (
  id bigint generated always as identity primary key,
  project text not null,
  source text not null,
  corrected_at timestamptz not null,
  -- The furthest of them.
  latest timestamptz not null,
  events bigint not null
);

create index clock_corrections_source on featuregraph.clock_corrections (project, source, id);

-- The latest correction of the project when the generation began: tiles of events that were corrected later are rebuilt.
alter table featuregraph.tile_generations add column correction bigint not null default 0;
