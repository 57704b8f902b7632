select ((x."event_timestamp"::timestamptz at time zone 'UTC')::date - date '1970-01-01') as day, count(*) as rows
from "features"."ratings" as x
where x.ingested_xid >= pg_snapshot_xmin($1::pg_snapshot)
  and not pg_visible_in_snapshot(x.ingested_xid, $1::pg_snapshot)
group by 1 order by 1;

select r.key_0, r.key_1, r."rating", r.event_timestamp, r.created_timestamp, r.row_id, r.closing
from (
  select x."driver_id"::bigint as key_0, x."city"::text as key_1, x."rating"::double precision as "rating", x."event_timestamp"::timestamptz as event_timestamp, case when isfinite(x."created_timestamp") then x."created_timestamp" end::timestamptz as created_timestamp, case when x."row_id"::text ~ '^-?[0-9]{1,18}$' then x."row_id"::text end::bigint as row_id, false as closing
  from "features"."ratings" as x
  where x.ingested_xid >= pg_snapshot_xmin($1::pg_snapshot)
    and not pg_visible_in_snapshot(x.ingested_xid, $1::pg_snapshot)
) as r
order by ((r.event_timestamp::timestamptz at time zone 'UTC')::date - date '1970-01-01'), r.key_0, r.key_1 collate "C", r.event_timestamp, r.row_id
