select e."shop" collate "C",
  e."till",
  0,
  count(*),
  count(*) filter (where e."success" = $3::boolean and e.event_timestamp >= $4::timestamptz),
  count(*) filter (where e."success" is null and e."shop" = $5::text and e.event_timestamp >= $6::timestamptz),
  sum(e."items")::text,
  case when min(e."amount"::float8) = max(e."amount"::float8) and abs(max(e."amount"::float8)) < 'Infinity'::float8 then count(e."amount") else count(e."amount") filter (where abs(e."amount"::float8) <= 1e+150::float8) end,
  case when min(e."amount"::float8) = max(e."amount"::float8) and abs(max(e."amount"::float8)) < 'Infinity'::float8 then min(e."amount"::float8) else avg(e."amount"::float8) filter (where abs(e."amount"::float8) <= 1e+150::float8) end,
  case when min(e."amount"::float8) = max(e."amount"::float8) and abs(max(e."amount"::float8)) < 'Infinity'::float8 then 0 else var_pop(e."amount"::float8) filter (where abs(e."amount"::float8) <= 1e+150::float8) end,
  case when min(e."amount"::float8) = max(e."amount"::float8) and abs(max(e."amount"::float8)) < 'Infinity'::float8 then 0 else count(e."amount") filter (where not abs(e."amount"::float8) <= 1e+150::float8) end,
  (array_agg(e."amount" order by e.event_timestamp, e.topic, e.partition, e."offset") filter (where e."amount" is not null))[1],
  (array_agg(e."amount" order by e.event_timestamp desc, e.topic desc, e.partition desc, e."offset" desc) filter (where e."success" = $7::boolean and e."amount" is not null))[1]
from (
  select least(x.event_timestamp, x.ingested_at)::timestamptz as event_timestamp, x."customer_id" as "customer_id", x."shop" as "shop", x."till" as "till", x."amount" as "amount", x."items" as "items", x."success" as "success", t.topic, x.partition, x."offset"
  from "events"."sales" as x join featuregraph.event_topics as t on t.id = x.topic_id
  where x."event_timestamp" >= $1::timestamptz
    and x."event_timestamp" < $2::timestamptz + interval '10 minutes'
    and least(x.event_timestamp, x.ingested_at) >= $1::timestamptz
    and least(x.event_timestamp, x.ingested_at) < $2::timestamptz
    and x."shop" is not null
    and x."till" is not null
    and x.counts
) as e
group by 1, 2, 3
order by 1, 2, 3
