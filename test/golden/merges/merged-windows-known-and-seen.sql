with g as materialized (
  select key_0, key_1, known_at, place, bounds, bounds[1] as first, bounds[array_length(bounds, 1)] as until
  from (
    select key_0, key_1, known_at, place, bounds::timestamptz[] as bounds
    from unnest($2::text[], $3::integer[], $4::text[], $5::timestamptz[]) with ordinality as g(key_0, key_1, bounds, known_at, place)
    offset 0
  ) as g
)
select g.place, s.*
from g cross join lateral (
  select e.span,
    max(e.event_timestamp),
    max(e.ingested_at),
    count(*),
    sum(case when abs(e."amount"::float8) > 1e-280::float8 then e."amount"::float8 * 5.421010862427522e-20::float8 else 0 * e."amount"::float8 end) filter (where e."card" = $8::text),
    sum(abs(case when abs(e."amount"::float8) > 1e-280::float8 then e."amount"::float8 * 5.421010862427522e-20::float8 else 0 * e."amount"::float8 end)) filter (where e."card" = $8::text),
    (array_agg(e."card" order by e.event_timestamp desc, e.topic desc, e.partition desc, e."offset" desc) filter (where e."card" is not null))[1]
  from (
    select width_bucket(least(x.event_timestamp, x.ingested_at), g.bounds) - 1 as span, least(x.event_timestamp, x.ingested_at) as event_timestamp, x.ingested_at, t.topic, x.partition, x."offset", x."amount", x."card"
    from "events"."boardings" as x join featuregraph.event_topics as t on t.id = x.topic_id
    where x."line" = g.key_0
      and x."post" = g.key_1
      and x.event_timestamp >= g.first and x.event_timestamp < g.until + interval '10 minutes'
      and x.event_timestamp >= $6::timestamptz
      and x.event_timestamp < $7::timestamptz + interval '10 minutes'
      and least(x.event_timestamp, x.ingested_at) >= g.first and least(x.event_timestamp, x.ingested_at) < g.until
      and x.ingested_at <= g.known_at
      and x.counts
      and pg_visible_in_snapshot(x.ingested_xid, $1::pg_snapshot) is not false
    order by 1, x.event_timestamp, x.topic_id, x.partition, x."offset"
  ) as e
  group by e.span
) as s
order by 1, 2
