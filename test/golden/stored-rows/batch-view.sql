select e.place, case when isfinite(now()) then (extract(epoch from now()) * 1000000)::bigint end, case when isfinite(r.event_timestamp) then (extract(epoch from r.event_timestamp) * 1000000)::bigint end, case when isfinite(r.created_timestamp) then (extract(epoch from r.created_timestamp) * 1000000)::bigint end, r.row_id, r.pushed, d.others, r."n", r."total"
from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[], $7::text[], $8::bigint[]) with ordinality as e(key_0, from_time, to_time, known_at, after_event, after_created, after_row, skipped, place)
left join lateral (
  select x."event_timestamp"::timestamptz as event_timestamp, x."created_timestamp"::timestamptz as created_timestamp, x."row_id"::text as row_id, coalesce(x.pushed, false) as pushed, x."n"::bigint as "n", x."total"::double precision as "total", row_number() over (order by x."event_timestamp" desc, x."created_timestamp" desc nulls last, x."row_id" desc) as nth
  from "features"."spending" as x
  where x."customer_id" = e.key_0
    and x."event_timestamp" >= e.from_time and x."event_timestamp" < e.to_time
    and (e.after_event is null or x."event_timestamp" <= e.after_event)
    and (e.after_event is null or x."event_timestamp" < e.after_event or (x."created_timestamp" is not distinct from e.after_created and x."row_id" < e.after_row::bigint or x."created_timestamp" < e.after_created or x."created_timestamp" is null and e.after_created is not null))
    and (x."created_timestamp" is null or x."created_timestamp" <= coalesce(e.known_at, now()))
  order by x."event_timestamp" desc, x."created_timestamp" desc nulls last, x."row_id" desc
  limit $9::bigint offset e.skipped
) as r on true
left join lateral (
  select s.as_of, coalesce((select u.definition from featuregraph.superseded_definitions as u
      where u.project = s.project and u.view_id = s.view_id and u.as_of = s.as_of and u.superseded_at > r.created_timestamp
      order by u.superseded_at limit 1), s.definition) as definition
  from featuregraph.snapshots as s
  where s.project = $10::text and s.view_id = (select v.id from featuregraph.views as v where v.project = $10::text and v.name = $11::text) and s.as_of <= r.event_timestamp
  order by s.as_of desc limit 1
) as g on r.event_timestamp is not null
left join lateral (
  select array(select t.name from jsonb_each_text($12::text::jsonb) as t(name, digest) where v.digests ->> t.name is distinct from t.digest) as others
  from featuregraph.view_definitions as v
  where v.project = $10::text and v.view_id = (select v.id from featuregraph.views as v where v.project = $10::text and v.name = $11::text) and v.definition = g.definition
) as d on true
order by e.place, r.nth
