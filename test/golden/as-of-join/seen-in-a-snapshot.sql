select case when isfinite(v0.event_timestamp) then (extract(epoch from v0.event_timestamp) * 1000000)::bigint end, case when isfinite(v0.created_timestamp) then (extract(epoch from v0.created_timestamp) * 1000000)::bigint end, v0."trips_today", v0."conv_rate", case when isfinite(v1.event_timestamp) then (extract(epoch from v1.event_timestamp) * 1000000)::bigint end, case when isfinite(v1.created_timestamp) then (extract(epoch from v1.created_timestamp) * 1000000)::bigint end, v1.cell_0::bigint, v1.cell_1::double precision, v1.cell_2::double precision, (select case when isfinite(r.kept_since) then (extract(epoch from r.kept_since) * 1000000)::bigint end from featuregraph.event_retention as r where r.project = $6::text and r.source = $7::text and r.kept_since > e.start_0)
from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[]) with ordinality as e(key_0, as_of, known_at, start_0, place)
left join lateral (
  select x."event_timestamp"::timestamptz as event_timestamp, x."created_timestamp"::timestamptz as created_timestamp, x."trips_today"::integer as "trips_today", x."conv_rate"::double precision as "conv_rate"
  from "features"."driver_hourly" as x
  where x."driver_id" = e.key_0 and x."event_timestamp" <= e.as_of and (e.known_at is null or x."created_timestamp" is null or x."created_timestamp" <= e.known_at) and pg_visible_in_snapshot(x.ingested_xid, $5::pg_snapshot) is not false
  order by x."event_timestamp" desc, x."created_timestamp" desc nulls last, x."row_id" desc
  limit 1
) as v0 on true
left join lateral (
  select max(e.event_timestamp) as event_timestamp,
    max(e.ingested_at) as created_timestamp,
    count(*) filter (where e.after_start_0) as cell_0,
    sum(case when abs(e."fare"::float8) > 1e-280::float8 then e."fare"::float8 * 5.421010862427522e-20::float8 else 0 * e."fare"::float8 end) filter (where e.after_start_0) as cell_1,
    sum(abs(case when abs(e."fare"::float8) > 1e-280::float8 then e."fare"::float8 * 5.421010862427522e-20::float8 else 0 * e."fare"::float8 end)) filter (where e.after_start_0) as cell_2
  from (
    select least(x.event_timestamp, x.ingested_at) as event_timestamp, x.ingested_at, least(x.event_timestamp, x.ingested_at) >= e.start_0 as after_start_0, x."fare"
    from "events"."rides" as x
    where x."driver_id" = e.key_0
      and x.event_timestamp >= e.start_0 and x.event_timestamp < e.as_of + interval '10 minutes'
      and least(x.event_timestamp, x.ingested_at) >= e.start_0 and least(x.event_timestamp, x.ingested_at) < e.as_of
      and (e.known_at is null or x.ingested_at <= e.known_at)
      and x.counts
      and pg_visible_in_snapshot(x.ingested_xid, $5::pg_snapshot) is not false
    order by x.event_timestamp, x.topic_id, x.partition, x."offset"
  ) as e
) as v1 on true
order by e.place
