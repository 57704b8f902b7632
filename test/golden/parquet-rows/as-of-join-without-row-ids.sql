with e as (
  select unnest($1) as k0, unnest($2) as k1,
    make_timestamptz(unnest($3)) as as_of, make_timestamptz(unnest($4)) as known_at, unnest(range(1)) as place
), x as (
select * from visits
), newest as (
  select e.place, x.event, x.created, x.row_id, x.closing, x.f0, x.f1, x.f2, x.f3
  from x join e on lower(x.k0) = e.k0 and x.k1 = e.k1 and x.event <= e.as_of
    and (x.created is null or e.known_at is null or x.created <= e.known_at)
  where x.event <= make_timestamptz(1795176000000000)
  qualify x.event = max(x.event) over (partition by e.place)
)
select place, epoch_us(event), case when isfinite(created) then epoch_us(created) end, closing, f0, f1, f2, f3
from newest
qualify row_number() over (partition by place order by created desc nulls last, row(f0, f1, f2, f3) desc) = 1
