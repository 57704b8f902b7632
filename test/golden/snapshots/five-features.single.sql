select e."customer_id",
  0,
  count(*),
  sum(case when abs(e."amount"::float8) > 1e-280::float8 then e."amount"::float8 * 5.421010862427522e-20::float8 else 0 * e."amount"::float8 end),
  sum(abs(case when abs(e."amount"::float8) > 1e-280::float8 then e."amount"::float8 * 5.421010862427522e-20::float8 else 0 * e."amount"::float8 end)),
  sum(case when abs(e."amount"::float8) > 1e-280::float8 then e."amount"::float8 * 5.421010862427522e-20::float8 else 0 * e."amount"::float8 end),
  sum(abs(case when abs(e."amount"::float8) > 1e-280::float8 then e."amount"::float8 * 5.421010862427522e-20::float8 else 0 * e."amount"::float8 end)),
  count(e."amount"),
  max(e."amount"),
  count(*) filter (where e.event_timestamp >= $3::timestamptz),
  count(distinct e."shop")
from (
  select least(x.event_timestamp, x.ingested_at)::timestamptz as event_timestamp, x."customer_id" as "customer_id", x."shop" as "shop", x."till" as "till", x."amount" as "amount", x."items" as "items", x."success" as "success"
  from "events"."transactions" as x
  where x."event_timestamp" >= $1::timestamptz
    and x."event_timestamp" < $2::timestamptz + interval '10 minutes'
    and least(x.event_timestamp, x.ingested_at) >= $1::timestamptz
    and least(x.event_timestamp, x.ingested_at) < $2::timestamptz
    and x."customer_id" is not null
    and x.counts
) as e
group by 1, 2
order by 1, 2
