select e."shop" collate "C",
  e."till",
  0,
  count(*),
  sum(case when abs(e."amount"::float8) > 1e-280::float8 then e."amount"::float8 * 5.421010862427522e-20::float8 else 0 * e."amount"::float8 end),
  sum(abs(case when abs(e."amount"::float8) > 1e-280::float8 then e."amount"::float8 * 5.421010862427522e-20::float8 else 0 * e."amount"::float8 end))
from (
  select x."sold_at"::timestamptz as event_timestamp, x."place"::text as "shop", x."till"::integer as "till", case when abs(x."amount"::float8) < 'Infinity'::float8 then x."amount"::float8 end as "amount"
  from "shop"."sales" as x
  where x."sold_at" >= $1::timestamptz
    and x."sold_at" < $2::timestamptz
    and x."place" is not null
    and x."till" is not null
    and x."sold_at" > coalesce((
      select max(d.deleted_at) from featuregraph.deletions as d where d.project = $3::text and d.digest = sha256(
        (select s.secret from featuregraph.deletion_secrets as s where s.project = $3::text)
        || convert_to('shop:' || octet_length(convert_to(x."place"::text::text, 'UTF8')) || ':' || x."place"::text::text || ',', 'UTF8'))
    ), '-infinity')
    and x."sold_at" > coalesce((
      select max(d.deleted_at) from featuregraph.deletions as d where d.project = $4::text and d.digest = sha256(
        (select s.secret from featuregraph.deletion_secrets as s where s.project = $4::text)
        || convert_to('shop:' || octet_length(convert_to(x."place"::text::text, 'UTF8')) || ':' || x."place"::text::text || ',' || 'till:' || octet_length(convert_to(x."till"::integer::text, 'UTF8')) || ':' || x."till"::integer::text || ',', 'UTF8'))
    ), '-infinity')
) as e
group by 1, 2, 3
order by 1, 2, 3
