with k as materialized (
  select * from unnest($1::text[]) with ordinality as k(key_0, place)
)
select k.place, x."at"::timestamptz, x."seen"::timestamptz, x."id", x."fare"::numeric::text
from (select * from rides where not test -- all
) as x
join k on x."driver id"::text = k.key_0
where x."at" <= $2::timestamptz and isfinite(x."at") and (x."seen" is null or x."seen" <= $3::timestamptz)
