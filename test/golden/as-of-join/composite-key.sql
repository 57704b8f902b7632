select case when isfinite(v0.event_timestamp) then (extract(epoch from v0.event_timestamp) * 1000000)::bigint end, case when isfinite(v0.created_timestamp) then (extract(epoch from v0.created_timestamp) * 1000000)::bigint end, v0."n"
from unnest($1::text[], $2::integer[], $3::timestamptz[], $4::timestamptz[]) with ordinality as e(key_0, key_1, as_of, known_at, place)
left join lateral (
  select x."event_timestamp"::timestamptz as event_timestamp, x."created_timestamp"::timestamptz as created_timestamp, x."n"::bigint as "n"
  from "features"."pair_counts" as x
  where x."merchant_id" = e.key_0 and x."device_id" = e.key_1 and x."event_timestamp" <= e.as_of and (e.known_at is null or x."created_timestamp" is null or x."created_timestamp" <= e.known_at)
  order by x."event_timestamp" desc, x."created_timestamp" desc nulls last, x."row_id" desc
  limit 1
) as v0 on true
order by e.place
