create temp table found_0_matched as
select s.place, s.t, s.k0, s.k1, x.e
from asked_0 as s asof join (select k0, k1, e from rows_0) as x on s.k0 = x.k0 and s.k1 = x.k1 and s.t >= x.e;
create temp table found_0 as
select m.place, x.e, x.c, x.r, x.closing, x.f0, x.f1, x.f2, x.f3, x.f4
from rows_0 as x join found_0_matched as m on x.k0 = m.k0 and x.k1 = m.k1 and x.e = m.e;
delete from found_0 where rowid in (
  select id from (
    select rowid as id, row_number() over (partition by place order by e desc, c desc nulls last, r desc, row(f0, f1, f2, f3, f4) desc) as nth
    from found_0 where place in (select place from found_0 group by place having count(*) > 1)
  ) where nth > 1
);
drop table found_0_matched;
create temp table answers as select case when j0 = 0 then w0 end as v0,
  cast(case when j0 = 0 and w0 is null then 4 else j0 end as UTINYINT) as s0,
  case when j0 = 0 then w1 end as v1,
  cast(case when j0 = 0 and w1 is null then 4 else j0 end as UTINYINT) as s1,
  case when j0 = 0 then w2 end as v2,
  cast(case when j0 = 0 and w2 is null then 4 else j0 end as UTINYINT) as s2,
  case when j0 = 0 then w3 end as v3,
  cast(case when j0 = 0 and w3 is null then 4 else j0 end as UTINYINT) as s3,
  case when j0 = 0 then w4 end as v4,
  cast(case when j0 = 0 and w4 is null then 4 else j0 end as UTINYINT) as s4
from (
  select s.*, case when s.t is null or s.key_0 is null or s.key_1 is null then 1 when r0.e is null or r0.closing then 1 when s.t - r0.e > 36000000000 then 2 else 0 end as j0,
    r0.f0 as w0,
    r0.f1 as w1,
    r0.f2 as w2,
    r0.f3 as w3,
    r0.f4 as w4
  from spine as s
  left join found_0 as r0 on r0.place = s.place
)
order by place;
