select case when isfinite(v0.event_timestamp) then (extract(epoch from v0.event_timestamp) * 1000000)::bigint end, case when isfinite(v0.created_timestamp) then (extract(epoch from v0.created_timestamp) * 1000000)::bigint end, v0."trips_today", v0."conv_rate", case when isfinite(v1.event_timestamp) then (extract(epoch from v1.event_timestamp) * 1000000)::bigint end, case when isfinite(v1.created_timestamp) then (extract(epoch from v1.created_timestamp) * 1000000)::bigint end, v1."rating", v1."city"
from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) with ordinality as e(key_0, as_of, known_at, place)
left join lateral (
  select x."event_timestamp"::timestamptz as event_timestamp, x."created_timestamp"::timestamptz as created_timestamp, x."trips_today"::integer as "trips_today", x."conv_rate"::double precision as "conv_rate"
  from "features"."driver_hourly" as x
  where x."driver_id" = e.key_0 and x."event_timestamp" <= e.as_of and (e.known_at is null or x."created_timestamp" is null or x."created_timestamp" <= e.known_at)
  order by x."event_timestamp" desc, x."created_timestamp" desc nulls last, x."row_id" desc
  limit 1
) as v0 on true
left join lateral (
  select x."event_timestamp"::timestamptz as event_timestamp, x."created_timestamp"::timestamptz as created_timestamp, x."rating"::double precision as "rating", x."city"::text as "city"
  from "features"."driver_ratings" as x
  where x."driver_id" = e.key_0 and x."event_timestamp" <= e.as_of and (e.known_at is null or x."created_timestamp" is null or x."created_timestamp" <= e.known_at)
  order by x."event_timestamp" desc, x."created_timestamp" desc nulls last, x."row_id" desc
  limit 1
) as v1 on true
order by e.place
