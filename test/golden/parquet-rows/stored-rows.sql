with e as (
  select unnest($1) as k0, unnest($2) as k1, unnest($3) as from_time, unnest($4) as to_time, unnest($5) as known_at, unnest($6) as after_event, unnest($7) as after_created, unnest($8) as after_row, unnest($9) as skipped,
    unnest(range(2)) as place
), x as (
select * from visits
), r as (
  select e.*, x.event, x.created, x.row_id, x.f0, x.f1, x.f2, x.f3, epoch_us(x.event) as event_at,
    case when isfinite(x.created) then epoch_us(x.created) end as created_at
  from x join e on lower(x.k0) = e.k0 and x.k1 = e.k1
    and x.event >= make_timestamptz(e.from_time) and x.event < make_timestamptz(e.to_time)
    and (x.created is null or x.created <= make_timestamptz(e.known_at))
  where x.event >= make_timestamptz(1795175999999991) and x.event < make_timestamptz(1795176000000009)
), n as (
  select *, row_number() over (partition by place order by event desc, created desc nulls last, row_id desc nulls last) as nth
  from r
  where after_event is null or event_at < after_event or (event_at = after_event and (
    (created_at is not distinct from after_created and row_id < after_row)
    or created_at < after_created or (created_at is null and after_created is not null)
  ))
)
select place, event_at, created_at, row_id, f0, f1, f2, f3
from n where nth > skipped and nth <= skipped + 10
order by place, nth
