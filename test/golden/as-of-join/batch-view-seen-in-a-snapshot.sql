with d0 as materialized (
select d.definition, case
    when not exists (select from jsonb_each_text($7::text::jsonb) as t(name, digest) where d.digests ->> t.name <> t.digest)
    then array(select t.name from jsonb_each_text($7::text::jsonb) as t(name, digest) where not d.digests ? t.name order by t.name)
  end as lacking
  from featuregraph.view_definitions as d
  where d.project = $5::text and d.view_id = (select v.id from featuregraph.views as v where v.project = $5::text and v.name = $6::text) and pg_visible_in_snapshot(d.recorded_xid, $4::pg_snapshot) is not false
)
select case when isfinite(v0.event_timestamp) then (extract(epoch from v0.event_timestamp) * 1000000)::bigint end, case when isfinite(v0.created_timestamp) then (extract(epoch from v0.created_timestamp) * 1000000)::bigint end, v0."n", v0."total", v0.closing, case when g0.as_of is null then case when v0.event_timestamp is null and exists (select from featuregraph.event_arrivals as a where a.project = $5::text and a.source = $8::text and a.hour < e.as_of and pg_visible_in_snapshot(a.recorded_xid, $4::pg_snapshot) is not false) then 'NEVER_FILLED' end when g0d.lacking is null or (o0.as_of is not null and o0d.lacking is null) then 'RECOMPUTING' end, nullif(g0d.lacking || coalesce(o0d.lacking, '{}'), '{}')
from unnest($1::bigint[], $2::timestamptz[], $3::timestamptz[]) with ordinality as e(key_0, as_of, known_at, place)
left join lateral (
  select x."event_timestamp"::timestamptz as event_timestamp, x."created_timestamp"::timestamptz as created_timestamp, x."n"::bigint as "n", x."total"::double precision as "total", x.closing
  from "features"."spending" as x
  where x."customer_id" = e.key_0 and x."event_timestamp" <= e.as_of and (e.known_at is null or x."created_timestamp" is null or x."created_timestamp" <= e.known_at) and pg_visible_in_snapshot(x.ingested_xid, $4::pg_snapshot) is not false
  order by x."event_timestamp" desc, x."created_timestamp" desc nulls last, x."row_id" desc
  limit 1
) as v0 on true
left join lateral (
  select s.as_of, coalesce((select u.definition from featuregraph.superseded_definitions as u
      where u.project = s.project and u.view_id = s.view_id and u.as_of = s.as_of and (u.superseded_at > e.known_at or not (pg_visible_in_snapshot(u.recorded_xid, $4::pg_snapshot) is not false))
      order by u.superseded_at limit 1), s.definition) as definition
  from featuregraph.snapshots as s
  where s.project = $5::text and s.view_id = (select v.id from featuregraph.views as v where v.project = $5::text and v.name = $6::text) and s.as_of <= e.as_of and pg_visible_in_snapshot(s.recorded_xid, $4::pg_snapshot) is not false
  order by s.as_of desc limit 1
) as g0 on true
left join d0 as g0d on g0d.definition = g0.definition
left join lateral (
  select s.as_of, coalesce((select u.definition from featuregraph.superseded_definitions as u
      where u.project = s.project and u.view_id = s.view_id and u.as_of = s.as_of and (u.superseded_at > e.known_at or not (pg_visible_in_snapshot(u.recorded_xid, $4::pg_snapshot) is not false))
      order by u.superseded_at limit 1), s.definition) as definition
  from featuregraph.snapshots as s
  where s.project = $5::text and s.view_id = (select v.id from featuregraph.views as v where v.project = $5::text and v.name = $6::text) and s.as_of <= v0.event_timestamp and pg_visible_in_snapshot(s.recorded_xid, $4::pg_snapshot) is not false and v0.event_timestamp < g0.as_of and v0.closing is not true
  order by s.as_of desc limit 1
) as o0 on true
left join d0 as o0d on o0d.definition = o0.definition
order by e.place
