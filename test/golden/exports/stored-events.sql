select ((least(x.event_timestamp, x.ingested_at)::timestamptz at time zone 'UTC')::date - date '1970-01-01') as day, count(*) as rows
from "events"."sales" as x
where least(x.event_timestamp, x.ingested_at) >= $1::timestamptz
  and least(x.event_timestamp, x.ingested_at) < $2::timestamptz
  and least(x.event_timestamp, x.ingested_at) >= $3::timestamptz
  and x."event_timestamp" >= $4::timestamptz
  and x."event_timestamp" < $5::timestamptz + interval '10 minutes'
  and pg_visible_in_snapshot(x.ingested_xid, $6::pg_snapshot) is not false
  and x.ingested_xid >= pg_snapshot_xmin($7::pg_snapshot)
  and not pg_visible_in_snapshot(x.ingested_xid, $7::pg_snapshot)
group by 1 order by 1;

select x."customer_id"::bigint, x."amount"::numeric::text, x."event_timestamp"::timestamptz, least(x.event_timestamp, x.ingested_at)::timestamptz, case when isfinite(x.ingested_at) then x.ingested_at::timestamptz end, t.topic, x.partition, x."offset", x.counts
from "events"."sales" as x join featuregraph.event_topics as t on t.id = x.topic_id
where least(x.event_timestamp, x.ingested_at) >= $1::timestamptz
  and least(x.event_timestamp, x.ingested_at) < $2::timestamptz
  and least(x.event_timestamp, x.ingested_at) >= $3::timestamptz
  and x."event_timestamp" >= $4::timestamptz
  and x."event_timestamp" < $5::timestamptz + interval '10 minutes'
  and pg_visible_in_snapshot(x.ingested_xid, $6::pg_snapshot) is not false
  and x.ingested_xid >= pg_snapshot_xmin($7::pg_snapshot)
  and not pg_visible_in_snapshot(x.ingested_xid, $7::pg_snapshot)
order by least(x.event_timestamp, x.ingested_at), t.topic collate "C", x.partition, x."offset"
