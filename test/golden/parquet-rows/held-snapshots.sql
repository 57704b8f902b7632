create or replace temp table held_rows as
with rows_read as (
select * from visits
), x as (
  select lower(x.k0) as k0, x.k1 as k1, event, f0, f1, f2, f3, closing, created, row_id
  from rows_read as x where event <= make_timestamptz(1795176000000000)
), held as (
  (select k0, k1, event, f0, f1, f2, f3, closing, created, row_id from x where event >= make_timestamptz(1795175999999995)
    qualify row_number() over (partition by k0, k1, event order by created desc nulls last, row_id desc nulls last) = 1)
  union all
  (select k0, k1, event, f0, f1, f2, f3, closing, created, row_id from x where event < make_timestamptz(1795175999999995)
    qualify row_number() over (partition by k0, k1 order by event desc, created desc nulls last, row_id desc nulls last) = 1)
)
select k0, k1, epoch_us(event) as event, f0, f1, f2, f3, closing,
  case when isfinite(created) then epoch_us(created) end as created
from held order by k0, k1, held.event desc
