select r.key_0::text, r.key_1::integer, case when isfinite(min(r.event)) then (extract(epoch from min(r.event)) * 1000000)::bigint end, case when isfinite(max(r.event)) then (extract(epoch from max(r.event)) * 1000000)::bigint end
from (select x."place" as key_0, x."till" as key_1, x."at"::timestamptz as event from "shop"."bills" as x
  where x."place" is not null and x."till" is not null and isfinite(x."at"::timestamptz) and x."at"::timestamptz <= $1::timestamptz limit 1000) as r
group by r.key_0, r.key_1 order by count(*) desc, r.key_0, r.key_1 limit $2::int
