-- A later read can be bound to what an earlier one saw: by its snapshot of the database (`pg_current_snapshot()`) and the
-- transaction that wrote each row. Null: written before this migration, visible in every snapshot that is recorded.
-- The column is added without its default, which would be evaluated for the rows that are there.
do $$
declare
  found record;
  taken text;
begin
  for found in
    select c.oid, n.nspname as schema, c.relname as source,
      case when n.nspname = 'events' then 'default' else substr(n.nspname, 8) end as project
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where c.relkind = 'p' and (n.nspname = 'events' or starts_with(n.nspname, 'events_'))
      and (select count(*) from pg_attribute as a where a.attrelid = c.oid and not a.attisdropped
        and a.attname in ('topic_id', 'partition', 'offset', 'event_timestamp', 'ingested_at', 'event_id', 'counts')) = 7
    order by n.nspname, c.relname
  loop
    select format_type(atttypid, atttypmod) into taken
    from pg_attribute where attrelid = found.oid and attname = 'ingested_xid' and not attisdropped;
    if taken <> 'xid8' then
      raise exception 'event source "%" of project "%" has a field "ingested_xid", a column that every table of stored events has from now on; name the field otherwise and keep its values: alter table %.% rename column ingested_xid to <its new name>',
        found.source, found.project, quote_ident(found.schema), quote_ident(found.source);
    end if;
    execute format(
      'alter table %I.%I add column if not exists ingested_xid xid8, alter column ingested_xid set default pg_current_xact_id()',
      found.schema, found.source);
  end loop;
end $$;

-- Of what decides how a batch view's rows are read: when each was recorded first. Rows that are updated keep it.
alter table featuregraph.snapshots add column recorded_xid xid8, alter column recorded_xid set default pg_current_xact_id();
alter table featuregraph.superseded_definitions
  add column recorded_xid xid8, alter column recorded_xid set default pg_current_xact_id();
alter table featuregraph.view_definitions add column recorded_xid xid8, alter column recorded_xid set default pg_current_xact_id();
alter table featuregraph.event_arrivals add column recorded_xid xid8, alter column recorded_xid set default pg_current_xact_id();

-- What an earlier read saw and no later one can: events whose times were corrected, rows that were erased.
alter table featuregraph.clock_corrections add column recorded_xid xid8, alter column recorded_xid set default pg_current_xact_id();
alter table featuregraph.deletions add column erased_xid xid8;
