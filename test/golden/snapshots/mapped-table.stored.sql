with recursive k(k0) as (
  (select x."customer_id" from "features"."mapped_sales" as x order by x."customer_id" limit 1)
  union all
  select n.* from k cross join lateral (
    select x."customer_id" from "features"."mapped_sales" as x where (x."customer_id") > (k.k0) order by x."customer_id" limit 1
  ) as n
)
select k.k0, r.event_timestamp, r."total", r."latest", r.closing, r.created_timestamp, r.pushed
from (select k.k0 from k order by k.k0) as k
cross join lateral (
  (select x.event_timestamp, x."total", x."latest", coalesce(x.closing, false) as closing, x.created_timestamp, coalesce(x.pushed, false) as pushed from "features"."mapped_sales" as x
    where x."customer_id" = k.k0 and x.event_timestamp >= $1::timestamptz and x.event_timestamp <= $2::timestamptz
    order by x.event_timestamp desc, x.created_timestamp desc nulls last, x.row_id desc)
  union all
  (select x.event_timestamp, x."total", x."latest", coalesce(x.closing, false) as closing, x.created_timestamp, coalesce(x.pushed, false) as pushed from "features"."mapped_sales" as x
    where x."customer_id" = k.k0 and x.event_timestamp < $1::timestamptz
    order by x.event_timestamp desc, x.created_timestamp desc nulls last, x.row_id desc limit 1)
) as r
