with recursive k as (
  select s.*, 1 as place from (select x."shop" as key_0, x."till" as key_1 from "events"."sales" as x where x.counts and x.event_timestamp <= $1::timestamptz order by x."shop", x."till" limit 1) as s
  union all
  select n.*, k.place + 1 from k cross join lateral (
    select x."shop" as key_0, x."till" as key_1 from "events"."sales" as x where (x."shop", x."till") > (k.key_0, k.key_1) and x.counts and x.event_timestamp <= $1::timestamptz order by x."shop", x."till" limit 1
  ) as n where k.place < $2::int
)
select k.key_0::text, k.key_1::integer, case when isfinite(t.oldest) then (extract(epoch from t.oldest) * 1000000)::bigint end, case when isfinite(t.newest) then (extract(epoch from t.newest) * 1000000)::bigint end
from k cross join lateral (
  select min(x.event_timestamp) as oldest, max(x.event_timestamp) as newest from "events"."sales" as x
  where x."shop" = k.key_0 and x."till" = k.key_1 and x.counts and x.event_timestamp <= $1::timestamptz
) as t order by k.place
