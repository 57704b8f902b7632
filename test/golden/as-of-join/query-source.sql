select case when isfinite(v0.event_timestamp) then (extract(epoch from v0.event_timestamp) * 1000000)::bigint end, case when isfinite(v0.created_timestamp) then (extract(epoch from v0.created_timestamp) * 1000000)::bigint end, v0."v"
from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) with ordinality as e(key_0, as_of, known_at, place)
left join lateral (
  select x."ts"::timestamptz as event_timestamp, x."loaded"::timestamptz as created_timestamp, x."v"::double precision as "v"
  from (select * from events -- all of them

) as x
  where x."id" = e.key_0 and x."ts" <= e.as_of and (e.known_at is null or x."loaded" is null or x."loaded" <= e.known_at)
  order by x."ts" desc, x."loaded" desc nulls last, x."seq" desc
  limit 1
) as v0 on true
order by e.place
