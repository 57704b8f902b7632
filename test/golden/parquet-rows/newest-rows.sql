create or replace temp table newest_rows as
with rows_read as (
select * from visits
), newest as (
  select * from rows_read as x qualify event = max(event) over (partition by lower(x.k0), x.k1)
)
select lower(x.k0) as c0, x.k1 as c1, epoch_us(event) as c2, case when isfinite(created) then epoch_us(created) end as c3, row_id as c4, closing as c5, f0 as c6, f1 as c7, f2 as c8, f3 as c9 from newest as x
qualify row_number() over (partition by lower(x.k0), x.k1 order by created desc nulls last, row_id desc nulls last) = 1
