with recursive k(k0) as (
  (select x."customer_id" from "features"."customer_transactions" as x order by x."customer_id" limit 1)
  union all
  select n.* from k cross join lateral (
    select x."customer_id" from "features"."customer_transactions" as x where (x."customer_id") > (k.k0) order by x."customer_id" limit 1
  ) as n
)
select k.k0, r.event_timestamp, r."total_30d", r."average_30d", r."largest_30d", r."count_7d", r."shops_30d", r.closing, r.created_timestamp, r.pushed
from (select k.k0 from k order by k.k0) as k
cross join lateral (
  (select x.event_timestamp, x."total_30d", x."average_30d", x."largest_30d", x."count_7d", x."shops_30d", coalesce(x.closing, false) as closing, x.created_timestamp, coalesce(x.pushed, false) as pushed from "features"."customer_transactions" as x
    where x."customer_id" = k.k0 and x.event_timestamp >= $1::timestamptz and x.event_timestamp <= $2::timestamptz
    order by x.event_timestamp desc, x.created_timestamp desc nulls last, x.row_id desc)
  union all
  (select x.event_timestamp, x."total_30d", x."average_30d", x."largest_30d", x."count_7d", x."shops_30d", coalesce(x.closing, false) as closing, x.created_timestamp, coalesce(x.pushed, false) as pushed from "features"."customer_transactions" as x
    where x."customer_id" = k.k0 and x.event_timestamp < $1::timestamptz
    order by x.event_timestamp desc, x.created_timestamp desc nulls last, x.row_id desc limit 1)
) as r
