select case when isfinite(v0.event_timestamp) then (extract(epoch from v0.event_timestamp) * 1000000)::bigint end, case when isfinite(v0.created_timestamp) then (extract(epoch from v0.created_timestamp) * 1000000)::bigint end, v0."rides_today", v0."share"
from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) with ordinality as e(key_0, as_of, known_at, place)
left join lateral (
  select x."event_timestamp"::timestamptz as event_timestamp, x."created_timestamp"::timestamptz as created_timestamp, coalesce(x."n__int64", x."n"::bigint)::bigint as "rides_today", coalesce(x."share__float64", x."share"::double precision)::double precision as "share"
  from "features"."trips" as x
  where x."driver_id" = e.key_0 and x."event_timestamp" <= e.as_of and (e.known_at is null or x."created_timestamp" is null or x."created_timestamp" <= e.known_at)
  order by x."event_timestamp" desc, x."created_timestamp" desc nulls last, x."row_id" desc
  limit 1
) as v0 on true
order by e.place
