select e."customer_id",
  width_bucket(e.event_timestamp, $3::timestamptz[]) - 1,
  count(*),
  sum(case when abs(e."amount"::float8) > 1e-280::float8 then e."amount"::float8 * 5.421010862427522e-20::float8 else 0 * e."amount"::float8 end),
  sum(abs(case when abs(e."amount"::float8) > 1e-280::float8 then e."amount"::float8 * 5.421010862427522e-20::float8 else 0 * e."amount"::float8 end)),
  (array_agg(e."amount" order by e.event_timestamp desc) filter (where e."amount" is not null))[1]
from (
  select x."sold_at"::timestamptz as event_timestamp, x."buyer"::bigint as "customer_id", x."shop"::text as "shop", x."till"::integer as "till", case when abs(x."total"::float8) < 'Infinity'::float8 then x."total"::float8 end as "amount", x."items"::bigint as "items", x."success"::boolean as "success"
  from "shop"."sales" as x
  where x."sold_at" >= $1::timestamptz
    and x."sold_at" < $2::timestamptz
    and x."buyer" is not null
) as e
group by 1, 2
order by 1, 2
