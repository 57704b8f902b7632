with recursive k(k0, k1) as (
  (select x."shop", x."till" from "features"."terminal_sales" as x order by x."shop", x."till" limit 1)
  union all
  select n.* from k cross join lateral (
    select x."shop", x."till" from "features"."terminal_sales" as x where (x."shop", x."till") > (k.k0, k.k1) order by x."shop", x."till" limit 1
  ) as n
)
select k.k0, k.k1, r.event_timestamp, r."failed", r."without_shop", r."items", r."spread", r."first_amount", r."last_amount", r.closing, r.created_timestamp, r.pushed
from (select k.k0, k.k1 from k order by k.k0 collate "C", k.k1) as k
cross join lateral (
  (select x.event_timestamp, x."failed", x."without_shop", x."items", x."spread", x."first_amount", x."last_amount", coalesce(x.closing, false) as closing, x.created_timestamp, coalesce(x.pushed, false) as pushed from "features"."terminal_sales" as x
    where x."shop" = k.k0 and x."till" = k.k1 and x.event_timestamp >= $1::timestamptz and x.event_timestamp <= $2::timestamptz
    order by x.event_timestamp desc, x.created_timestamp desc nulls last, x.row_id desc)
  union all
  (select x.event_timestamp, x."failed", x."without_shop", x."items", x."spread", x."first_amount", x."last_amount", coalesce(x.closing, false) as closing, x.created_timestamp, coalesce(x.pushed, false) as pushed from "features"."terminal_sales" as x
    where x."shop" = k.k0 and x."till" = k.k1 and x.event_timestamp < $1::timestamptz
    order by x.event_timestamp desc, x.created_timestamp desc nulls last, x.row_id desc limit 1)
) as r
