select e.place, case when isfinite(now()) then (extract(epoch from now()) * 1000000)::bigint end, case when isfinite(r.event_timestamp) then (extract(epoch from r.event_timestamp) * 1000000)::bigint end, case when isfinite(r.created_timestamp) then (extract(epoch from r.created_timestamp) * 1000000)::bigint end, r.row_id, r.pushed, null, r."rating"
from unnest($1::bigint[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[], $8::text[], $9::bigint[]) with ordinality as e(key_0, key_1, from_time, to_time, known_at, after_event, after_created, after_row, skipped, place)
left join lateral (
  select x."event_timestamp"::timestamptz as event_timestamp, x."created_timestamp"::timestamptz as created_timestamp, x."row_id"::text as row_id, false as pushed, x."rating"::double precision as "rating", row_number() over (order by x."event_timestamp" desc, x."created_timestamp" desc nulls last, x."row_id" desc) as nth
  from "features"."ratings" as x
  where x."driver_id" = e.key_0
    and x."city" = e.key_1
    and x."event_timestamp" >= e.from_time and x."event_timestamp" < e.to_time
    and (e.after_event is null or x."event_timestamp" <= e.after_event)
    and (e.after_event is null or x."event_timestamp" < e.after_event or (x."created_timestamp" is not distinct from e.after_created and x."row_id" < e.after_row::bigint or x."created_timestamp" < e.after_created or x."created_timestamp" is null and e.after_created is not null))
    and (x."created_timestamp" is null or x."created_timestamp" <= coalesce(e.known_at, now()))
  order by x."event_timestamp" desc, x."created_timestamp" desc nulls last, x."row_id" desc
  limit $10::bigint offset e.skipped
) as r on true
order by e.place, r.nth
