-- Which ids of events are claimed: of equal ids the event that claimed first counts, whichever way it came. The id itself is
-- not here: a claim outlives the deletion of its event's entity. It goes when the event is past the source's retention.
create table featuregraph.event_claims (
  digest bytea not null,
  project text not null,
  source text not null,
  event_timestamp timestamptz not null,
  primary key (digest)
) partition by hash (digest);

do $$ begin
  for part in 0..15 loop
    execute format(
      'create table featuregraph.event_claims_%s partition of featuregraph.event_claims for values with (modulus 16, remainder %s)',
      part, part);
  end loop;
end $$;

-- Nearly free, since events mostly come in the order of their timestamps.
create index event_claims_age on featuregraph.event_claims using brin (event_timestamp);

-- Neither a project nor a source has a line break in its name.
create function featuregraph.event_digest(project text, source text, id text) returns bytea
language sql stable parallel safe as
$$ select substr(sha256(convert_to(project || chr(10) || source || chr(10) || id, 'UTF8')), 1, 16) $$;

-- Events of an import that is under way are stored up to before this row of the file; null: all or none are.
alter table featuregraph.imports add column next_row bigint;

-- Stored events get their verdict by the rule until now: of equal ids the one of the earliest moment counts.
do $$
declare
  found record;
  project text;
  id_index regclass;
begin
  for found in
    select c.oid, n.nspname as schema, c.relname as source
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where c.relkind = 'p' and (n.nspname = 'events' or starts_with(n.nspname, 'events_'))
      and (select count(*) from pg_attribute as a where a.attrelid = c.oid and not a.attisdropped
        and a.attname in ('topic_id', 'partition', 'offset', 'event_timestamp', 'ingested_at', 'event_id')) = 6
    order by n.nspname, c.relname
  loop
    project := case when found.schema = 'events' then 'default' else substr(found.schema, 8) end;
    if exists (select from pg_attribute where attrelid = found.oid and attname = 'counts' and not attisdropped) then
      raise exception 'event source "%" of project "%" has a field "counts", a column that every table of stored events has from now on; name the field otherwise and keep its values: alter table %.% rename column counts to <the new name>',
        found.source, project, quote_ident(found.schema), quote_ident(found.source);
    end if;
    execute format('alter table %I.%I add column counts boolean not null default true', found.schema, found.source);
    execute format(
      'update %1$I.%2$I as x set counts = false
       from (
         select topic_id, partition, "offset", event_timestamp,
           row_number() over (partition by event_id order by ingested_at, topic_id, partition, "offset", event_timestamp) as place
         from %1$I.%2$I where event_id is not null
       ) as r
       where r.place > 1 and x.topic_id = r.topic_id and x.partition = r.partition and x."offset" = r."offset"
         and x.event_timestamp = r.event_timestamp',
      found.schema, found.source);
    execute format(
      'insert into featuregraph.event_claims (digest, project, source, event_timestamp)
       select featuregraph.event_digest(%3$L, %2$L, event_id), %3$L, %2$L, event_timestamp
       from %1$I.%2$I where event_id is not null and counts',
      found.schema, found.source, project);
    -- Nothing looks an event up by its id any more.
    for id_index in
      select i.indexrelid::regclass from pg_index as i join pg_attribute as a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
      where i.indrelid = found.oid and i.indnatts = 1 and a.attname = 'event_id'
    loop
      execute format('drop index %s', id_index);
    end loop;
  end loop;
end $$;

-- Moments need not rise any more for one event of an id to be the first. A process of an earlier version, which would store
-- events without a claim, fails from here on where it stores events with ids.
drop table featuregraph.event_clocks;
