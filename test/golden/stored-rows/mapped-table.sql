select e.place, case when isfinite(now()) then (extract(epoch from now()) * 1000000)::bigint end, case when isfinite(r.event_timestamp) then (extract(epoch from r.event_timestamp) * 1000000)::bigint end, case when isfinite(r.created_timestamp) then (extract(epoch from r.created_timestamp) * 1000000)::bigint end, r.row_id, r.pushed, null, r."total"
from unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::text[], $8::bigint[]) with ordinality as e(key_0, from_time, to_time, known_at, after_event, after_created, after_row, skipped, place)
left join lateral (
  select x."at"::timestamptz as event_timestamp, x."loaded"::timestamptz as created_timestamp, null::text as row_id, false as pushed, x."total"::numeric::text as "total", row_number() over (order by x."at" desc, x."loaded" desc nulls last, x::text desc) as nth
  from "sales"."Orders" as x
  where x."buyer"::text = e.key_0
    and x."at" >= e.from_time and x."at" < e.to_time
    and (e.after_event is null or x."at" <= e.after_event)
    and (e.after_event is null or x."at" < e.after_event or (x."loaded" is not distinct from e.after_created and true or x."loaded" < e.after_created or x."loaded" is null and e.after_created is not null))
    and (x."loaded" is null or x."loaded" <= coalesce(e.known_at, now()))
  order by x."at" desc, x."loaded" desc nulls last, x::text desc
  limit $9::bigint offset e.skipped
) as r on true
order by e.place, r.nth
