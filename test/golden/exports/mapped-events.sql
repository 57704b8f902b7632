select ((x."booked"::timestamptz at time zone 'UTC')::date - date '1970-01-01') as day, count(*) as rows
from "bank"."ledger" as x
where isfinite(x."booked")
  and x."booked" > coalesce((
      select max(d.deleted_at) from featuregraph.deletions as d where d.project = $1::text and d.digest = sha256(
        (select s.secret from featuregraph.deletion_secrets as s where s.project = $1::text)
        || convert_to('customer_id:' || octet_length(convert_to(x."client"::bigint::text, 'UTF8')) || ':' || x."client"::bigint::text || ',', 'UTF8'))
    ), '-infinity')
group by 1 order by 1;

select x."client"::bigint, x."amount"::numeric::text, x."booked"::timestamptz, x."booked"::timestamptz, case when isfinite(x."known") then x."known"::timestamptz end, null::text, null::integer, null::bigint, true
from "bank"."ledger" as x
where isfinite(x."booked")
  and x."booked" > coalesce((
      select max(d.deleted_at) from featuregraph.deletions as d where d.project = $1::text and d.digest = sha256(
        (select s.secret from featuregraph.deletion_secrets as s where s.project = $1::text)
        || convert_to('customer_id:' || octet_length(convert_to(x."client"::bigint::text, 'UTF8')) || ':' || x."client"::bigint::text || ',', 'UTF8'))
    ), '-infinity')
order by x."booked"
