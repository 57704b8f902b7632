select case when isfinite(v0.event_timestamp) then (extract(epoch from v0.event_timestamp) * 1000000)::bigint end, case when isfinite(v0.created_timestamp) then (extract(epoch from v0.created_timestamp) * 1000000)::bigint end, v0."total", v0."count"
from unnest($1::text[], $2::timestamptz[], $3::timestamptz[]) with ordinality as e(key_0, as_of, known_at, place)
left join lateral (
  select x."at"::timestamptz as event_timestamp, null::timestamptz as created_timestamp, x."total"::double precision as "total", x."n"::bigint as "count"
  from "sales"."Orders" as x
  where x."buyer"::text = e.key_0 and x."at" <= e.as_of
  order by x."at" desc
  limit 1
) as v0 on true
order by e.place
