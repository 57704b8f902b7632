create temp table found_0 as
with timed as (
  select place, k0, t, t - 7200000000 - ((t - 7200000000) % 300000000 + 300000000) % 300000000 as start_0, t - 18000000000 - ((t - 18000000000) % 300000000 + 300000000) % 300000000 as start_1, t - 18000000000 - ((t - 18000000000) % 420000000 + 420000000) % 420000000 as start_2
  from asked_0
), spanned as (
  select *, least(start_0, start_1, start_2) as since, least(start_0, start_1, start_2) - ((least(start_0, start_1, start_2)) % 18420000000 + 18420000000) % 18420000000 as stretch from timed
  union all
  select *, least(start_0, start_1, start_2) as since, (t - 1) - (((t - 1)) % 18420000000 + 18420000000) % 18420000000 as stretch from timed where (t - 1) - (((t - 1)) % 18420000000 + 18420000000) % 18420000000 > least(start_0, start_1, start_2) - ((least(start_0, start_1, start_2)) % 18420000000 + 18420000000) % 18420000000
), events as (
  select *, counted - ((counted) % 18420000000 + 18420000000) % 18420000000 as stretch from rows_0
), pairs as (
  select s.place, s.start_0, s.start_1, s.start_2, x.*
  from spanned as s join events as x
    on s.k0 = x.k0 and s.stretch = x.stretch
    and x.counted >= s.since and x.counted < s.t
)
select place, max(counted) as e, false as closing, cast(count(*) filter (where counted >= start_0) as BIGINT) as f0,
  cast(count(*) filter (where counted >= start_1 and f_baker = cast('o''ada' as VARCHAR)) as BIGINT) as f1,
  cast(count(*) filter (where counted >= start_2 and f_baker is null) as BIGINT) as f2,
  cast(case when isfinite((coalesce(sum(cast(f_weight as double) * cast(5.421010862427522e-20 as double)) filter (where counted >= start_0), 0) / cast(5.421010862427522e-20 as double))) then (coalesce(sum(cast(f_weight as double) * cast(5.421010862427522e-20 as double)) filter (where counted >= start_0), 0) / cast(5.421010862427522e-20 as double)) end as DOUBLE) as f3,
  cast(try_cast(coalesce(sum(f_pieces) filter (where counted >= start_0), 0) as bigint) as BIGINT) as f4,
  cast(try_cast(coalesce(sum(f_price) filter (where counted >= start_1), 0) as decimal(18, 2)) as decimal(18, 2)) as f5,
  cast(case when isfinite(((sum(cast(f_weight as double) * cast(5.421010862427522e-20 as double)) filter (where counted >= start_1)) / count(f_weight) filter (where counted >= start_1) / cast(5.421010862427522e-20 as double))) then ((sum(cast(f_weight as double) * cast(5.421010862427522e-20 as double)) filter (where counted >= start_1)) / count(f_weight) filter (where counted >= start_1) / cast(5.421010862427522e-20 as double)) end as DOUBLE) as f6,
  cast(cast(sum(f_price) filter (where counted >= start_1) as double) / count(f_price) filter (where counted >= start_1) as DOUBLE) as f7,
  cast(min(f_price) filter (where counted >= start_0) as decimal(18, 2)) as f8,
  cast(max(f_weight) filter (where counted >= start_0) as DOUBLE) as f9,
  cast(case when count(f_pieces) filter (where counted >= start_1) < 2 then null when min(f_pieces) filter (where counted >= start_1) = max(f_pieces) filter (where counted >= start_1) then 0 when count(f_pieces) filter (where counted >= start_1 and not (abs(cast(f_pieces as double)) <= 1e+150)) > 0 then null else case when isfinite((var_samp(cast(f_pieces as double)) filter (where counted >= start_1 and abs(cast(f_pieces as double)) <= 1e+150))) then (var_samp(cast(f_pieces as double)) filter (where counted >= start_1 and abs(cast(f_pieces as double)) <= 1e+150)) end end as DOUBLE) as f10,
  cast(case when count(f_weight) filter (where counted >= start_0) < 2 then null when min(f_weight) filter (where counted >= start_0) = max(f_weight) filter (where counted >= start_0) then 0 when count(f_weight) filter (where counted >= start_0 and not (abs(cast(f_weight as double)) <= 1e+150)) > 0 then null else case when isfinite((stddev_samp(cast(f_weight as double)) filter (where counted >= start_0 and abs(cast(f_weight as double)) <= 1e+150))) then (stddev_samp(cast(f_weight as double)) filter (where counted >= start_0 and abs(cast(f_weight as double)) <= 1e+150)) end end as DOUBLE) as f11,
  cast(count(distinct f_baker) filter (where counted >= start_1) as BIGINT) as f12,
  cast(first(f_baker order by counted, _topic, _partition, _offset) filter (where counted >= start_1 and f_baker is not null) as VARCHAR) as f13,
  cast(first(f_price order by counted desc, _topic desc, _partition desc, _offset desc) filter (where counted >= start_0 and f_price is not null) as decimal(18, 2)) as f14
from pairs group by place;
create temp table answers as select case when j0 = 0 then w0 when j0 = 1 and t is not null and key_0 is not null then cast(0 as BIGINT) end as v0,
  cast(case when j0 = 0 and w0 is null then 4 else j0 end as UTINYINT) as s0,
  case when j0 = 0 then w1 when j0 = 1 and t is not null and key_0 is not null then cast(0 as BIGINT) end as v1,
  cast(case when j0 = 0 and w1 is null then 4 else j0 end as UTINYINT) as s1,
  case when j0 = 0 then w2 when j0 = 1 and t is not null and key_0 is not null then cast(0 as BIGINT) end as v2,
  cast(case when j0 = 0 and w2 is null then 4 else j0 end as UTINYINT) as s2,
  case when j0 = 0 then w3 when j0 = 1 and t is not null and key_0 is not null then cast(0 as DOUBLE) end as v3,
  cast(case when j0 = 0 and w3 is null then 4 else j0 end as UTINYINT) as s3,
  case when j0 = 0 then w4 when j0 = 1 and t is not null and key_0 is not null then cast(0 as BIGINT) end as v4,
  cast(case when j0 = 0 and w4 is null then 4 else j0 end as UTINYINT) as s4,
  case when j0 = 0 then w5 when j0 = 1 and t is not null and key_0 is not null then cast(0 as decimal(18, 2)) end as v5,
  cast(case when j0 = 0 and w5 is null then 4 else j0 end as UTINYINT) as s5,
  case when j0 = 0 then w6 end as v6,
  cast(case when j0 = 0 and w6 is null then 4 else j0 end as UTINYINT) as s6,
  case when j0 = 0 then w7 end as v7,
  cast(case when j0 = 0 and w7 is null then 4 else j0 end as UTINYINT) as s7,
  case when j0 = 0 then w8 end as v8,
  cast(case when j0 = 0 and w8 is null then 4 else j0 end as UTINYINT) as s8,
  case when j0 = 0 then w9 end as v9,
  cast(case when j0 = 0 and w9 is null then 4 else j0 end as UTINYINT) as s9,
  case when j0 = 0 then w10 end as v10,
  cast(case when j0 = 0 and w10 is null then 4 else j0 end as UTINYINT) as s10,
  case when j0 = 0 then w11 end as v11,
  cast(case when j0 = 0 and w11 is null then 4 else j0 end as UTINYINT) as s11,
  case when j0 = 0 then w12 when j0 = 1 and t is not null and key_0 is not null then cast(0 as BIGINT) end as v12,
  cast(case when j0 = 0 and w12 is null then 4 else j0 end as UTINYINT) as s12,
  case when j0 = 0 then w13 end as v13,
  cast(case when j0 = 0 and w13 is null then 4 else j0 end as UTINYINT) as s13,
  case when j0 = 0 then w14 end as v14,
  cast(case when j0 = 0 and w14 is null then 4 else j0 end as UTINYINT) as s14
from (
  select s.*, case when s.t is null or s.key_0 is null then 1 when r0.e is null or r0.closing then 1 else 0 end as j0,
    r0.f0 as w0,
    r0.f1 as w1,
    r0.f2 as w2,
    r0.f3 as w3,
    r0.f4 as w4,
    r0.f5 as w5,
    r0.f6 as w6,
    r0.f7 as w7,
    r0.f8 as w8,
    r0.f9 as w9,
    r0.f10 as w10,
    r0.f11 as w11,
    r0.f12 as w12,
    r0.f13 as w13,
    r0.f14 as w14
  from spine as s
  left join found_0 as r0 on r0.place = s.place
)
order by place;
