select ((x."event_timestamp"::timestamptz at time zone 'UTC')::date - date '1970-01-01') as day, count(*) as rows
from "features"."spending" as x
where true
group by 1 order by 1;

select r.key_0, r."n", r."total", r.event_timestamp, r.created_timestamp, r.row_id, r.closing, d.others
from (
  select x."customer_id"::bigint as key_0, x."n"::bigint as "n", x."total"::numeric::text as "total", x."event_timestamp"::timestamptz as event_timestamp, case when isfinite(x."created_timestamp") then x."created_timestamp" end::timestamptz as created_timestamp, case when x."row_id"::text ~ '^-?[0-9]{1,18}$' then x."row_id"::text end::bigint as row_id, coalesce(x.closing, false) as closing
  from "features"."spending" as x
  where true
) as r
left join lateral (
  select s.as_of, coalesce((select u.definition from featuregraph.superseded_definitions as u
      where u.project = s.project and u.view_id = s.view_id and u.as_of = s.as_of and u.superseded_at > r.created_timestamp
      order by u.superseded_at limit 1), s.definition) as definition
  from featuregraph.snapshots as s
  where s.project = $1::text and s.view_id = (select v.id from featuregraph.views as v where v.project = $1::text and v.name = $2::text) and s.as_of <= r.event_timestamp
  order by s.as_of desc limit 1
) as g on r.event_timestamp is not null
left join lateral (
  select array(select t.name from jsonb_each_text($3::text::jsonb) as t(name, digest) where v.digests ->> t.name is distinct from t.digest) as others
  from featuregraph.view_definitions as v
  where v.project = $1::text and v.view_id = (select v.id from featuregraph.views as v where v.project = $1::text and v.name = $2::text) and v.definition = g.definition
) as d on true
order by ((r.event_timestamp::timestamptz at time zone 'UTC')::date - date '1970-01-01'), r.key_0, r.event_timestamp, r.row_id
