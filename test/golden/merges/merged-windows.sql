select g.place, s.*
from (
  select g.key_0, g.key_1, g.place::integer,
    timestamptz 'epoch' + g.first * interval '1 microsecond' as first, timestamptz 'epoch' + g.until * interval '1 microsecond' as until, timestamptz 'epoch' + g.until * interval '1 microsecond' + interval '10 minutes' as ahead
  from unnest($1::text[], $2::integer[], $3::bigint[], $4::bigint[]) with ordinality as g(key_0, key_1, first, until, place)
  offset 0
) as g cross join lateral (
  select x.event_timestamp, x.ingested_at, t.topic, x.partition, x."offset", x."amount", x."card", (x."card" = $5::text) is true as condition_0
  from "events"."boardings" as x join featuregraph.event_topics as t on t.id = x.topic_id
  where x."line" = g.key_0
    and x."post" = g.key_1
    and x.event_timestamp >= g.first and x.event_timestamp < g.ahead
    and x.event_timestamp >= $6::timestamptz
    and x.event_timestamp < $7::timestamptz
    and least(x.event_timestamp, x.ingested_at) >= g.first and least(x.event_timestamp, x.ingested_at) < g.until
    and x.counts
  order by x.event_timestamp, x.topic_id, x.partition, x."offset"
) as s
