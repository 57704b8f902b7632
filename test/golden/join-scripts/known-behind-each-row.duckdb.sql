create temp table found_0_matched as
select s.place, s.t, s.k0, x.e
from asked_0 as s asof join (select k0, e from rows_0 where c is null or c <= e + 3600000000) as x on s.k0 = x.k0 and s.t >= x.e
union
select s.place, s.t, s.k0, x.e
from asked_0 as s asof join (select k0, c - 3600000000 as v, max(e) over (partition by k0 order by c) as e from rows_0 where c > e + 3600000000) as x on s.k0 = x.k0 and s.t >= x.v;
create temp table found_0 as
select m.place, x.e, x.c, x.r, x.closing, x.f0, x.f1
from rows_0 as x join found_0_matched as m on x.k0 = m.k0 and x.e = m.e
where x.c is null or x.c <= m.t + 3600000000;
delete from found_0 where rowid in (
  select id from (
    select rowid as id, row_number() over (partition by place order by e desc, c desc nulls last, r desc, row(f0, f1) desc) as nth
    from found_0 where place in (select place from found_0 group by place having count(*) > 1)
  ) where nth > 1
);
drop table found_0_matched;
create temp table found_1 as
with timed as (
  select place, k0, k1, t, t - 10800000000 - ((t - 10800000000) % 420000000 + 420000000) % 420000000 as start_0
  from asked_1
), spanned as (
  select *, start_0 as since, start_0 - ((start_0) % 11220000000 + 11220000000) % 11220000000 as stretch from timed
  union all
  select *, start_0 as since, (t - 1) - (((t - 1)) % 11220000000 + 11220000000) % 11220000000 as stretch from timed where (t - 1) - (((t - 1)) % 11220000000 + 11220000000) % 11220000000 > start_0 - ((start_0) % 11220000000 + 11220000000) % 11220000000
), events as (
  select *, counted - ((counted) % 11220000000 + 11220000000) % 11220000000 as stretch from rows_1
), pairs as (
  select s.place, s.start_0, x.*
  from spanned as s join events as x
    on s.k0 = x.k0 and s.k1 = x.k1 and s.stretch = x.stretch
    and x.counted >= s.since and x.counted < s.t and x.stored <= s.t + 3600000000
)
select place, max(counted) as e, false as closing, cast(count(*) filter (where counted >= start_0) as BIGINT) as f0
from pairs group by place;
create temp table answers as select case when j0 = 0 then w0 end as v0,
  cast(case when j0 = 0 and w0 is null then 4 else j0 end as UTINYINT) as s0,
  case when j0 = 0 then w1 end as v1,
  cast(case when j0 = 0 and w1 is null then 4 else j0 end as UTINYINT) as s1,
  case when j1 = 0 then w2 when j1 = 1 and t is not null and key_0 is not null and key_1 is not null then cast(0 as BIGINT) end as v2,
  cast(case when j1 = 0 and w2 is null then 4 else j1 end as UTINYINT) as s2
from (
  select s.*, case when s.t is null or s.key_0 is null then 1 when r0.e is null or r0.closing then 1 when s.t - r0.e > 36000000000 then 2 else 0 end as j0,
    case when s.t is null or s.key_0 is null or s.key_1 is null then 1 when r1.e is null or r1.closing then 1 else 0 end as j1,
    r0.f0 as w0,
    r0.f1 as w1,
    r1.f0 as w2
  from spine as s
  left join found_0 as r0 on r0.place = s.place
  left join found_1 as r1 on r1.place = s.place
)
order by place;
