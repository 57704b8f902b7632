set spark.sql.session.timeZone=UTC;
set spark.sql.parquet.outputTimestampType=TIMESTAMP_MICROS;
set spark.sql.parquet.mergeSchema=true;
set spark.sql.ansi.enabled=true;
create or replace temporary view `spine` using parquet options (path '/lake/spine.parquet', recursiveFileLookup 'true');
create or replace temporary view `files_0` using parquet options (path '/lake/sales', recursiveFileLookup 'true');
create or replace temporary view rows_0 as
select cast(`shop` as string) as k0, `baker` as f_baker, `weight` as f_weight, `pieces` as f_pieces, `price` as f_price, unix_micros(_counted_at) as counted, unix_micros(_stored_at) as stored, _topic, _partition, _offset
from files_0
where counts and `shop` is not null and _counted_at >= cast('2026-10-25T19:33:20.000000Z' as timestamp) and _counted_at < cast('2026-10-26T07:33:20.000000Z' as timestamp);
create or replace temporary view asked_0 as
select place, t, key_0 as k0 from spine where t is not null and key_0 is not null;
create or replace temporary view found_0 as
with timed as (
  select place, k0, t, t - 7200000000 - pmod(t - 7200000000, 300000000) as start_0, t - 18000000000 - pmod(t - 18000000000, 300000000) as start_1, t - 18000000000 - pmod(t - 18000000000, 420000000) as start_2
  from asked_0
), spanned as (
  select *, least(start_0, start_1, start_2) as since, least(start_0, start_1, start_2) - pmod(least(start_0, start_1, start_2), 18420000000) as stretch from timed
  union all
  select *, least(start_0, start_1, start_2) as since, (t - 1) - pmod((t - 1), 18420000000) as stretch from timed where (t - 1) - pmod((t - 1), 18420000000) > least(start_0, start_1, start_2) - pmod(least(start_0, start_1, start_2), 18420000000)
), events as (
  select *, counted - pmod(counted, 18420000000) as stretch from rows_0
), pairs as (
  select s.place, s.start_0, s.start_1, s.start_2, x.*
  from spanned as s join events as x
    on s.k0 = x.k0 and s.stretch = x.stretch
    and x.counted >= s.since and x.counted < s.t
)
select place, max(counted) as e, false as closing, cast(count(*) filter (where counted >= start_0) as bigint) as f0,
  cast(count(*) filter (where counted >= start_1 and f_baker = cast('o\u0027ada' as string)) as bigint) as f1,
  cast(count(*) filter (where counted >= start_2 and f_baker is null) as bigint) as f2,
  cast(case when not isnan((coalesce(sum(cast(f_weight as double) * cast(5.421010862427522e-20 as double)) filter (where counted >= start_0), 0) / cast(5.421010862427522e-20 as double))) and abs((coalesce(sum(cast(f_weight as double) * cast(5.421010862427522e-20 as double)) filter (where counted >= start_0), 0) / cast(5.421010862427522e-20 as double))) < double('infinity') then (coalesce(sum(cast(f_weight as double) * cast(5.421010862427522e-20 as double)) filter (where counted >= start_0), 0) / cast(5.421010862427522e-20 as double)) end as double) as f3,
  cast(try_cast(coalesce(sum(cast(f_pieces as decimal(38, 0))) filter (where counted >= start_0), 0) as bigint) as bigint) as f4,
  cast(try_cast(coalesce(sum(f_price) filter (where counted >= start_1), 0) as decimal(18, 2)) as decimal(18, 2)) as f5,
  cast(case when not isnan(((sum(cast(f_weight as double) * cast(5.421010862427522e-20 as double)) filter (where counted >= start_1)) / count(f_weight) filter (where counted >= start_1) / cast(5.421010862427522e-20 as double))) and abs(((sum(cast(f_weight as double) * cast(5.421010862427522e-20 as double)) filter (where counted >= start_1)) / count(f_weight) filter (where counted >= start_1) / cast(5.421010862427522e-20 as double))) < double('infinity') then ((sum(cast(f_weight as double) * cast(5.421010862427522e-20 as double)) filter (where counted >= start_1)) / count(f_weight) filter (where counted >= start_1) / cast(5.421010862427522e-20 as double)) end as double) as f6,
  cast(cast(sum(f_price) filter (where counted >= start_1) as double) / count(f_price) filter (where counted >= start_1) as double) as f7,
  cast(min(f_price) filter (where counted >= start_0) as decimal(18, 2)) as f8,
  cast(max(f_weight) filter (where counted >= start_0) as double) as f9,
  cast(case when count(f_pieces) filter (where counted >= start_1) < 2 then null when min(f_pieces) filter (where counted >= start_1) = max(f_pieces) filter (where counted >= start_1) then 0 when count(f_pieces) filter (where counted >= start_1 and not (abs(cast(f_pieces as double)) <= 1e+150)) > 0 then null else case when not isnan((var_samp(cast(f_pieces as double)) filter (where counted >= start_1 and abs(cast(f_pieces as double)) <= 1e+150))) and abs((var_samp(cast(f_pieces as double)) filter (where counted >= start_1 and abs(cast(f_pieces as double)) <= 1e+150))) < double('infinity') then (var_samp(cast(f_pieces as double)) filter (where counted >= start_1 and abs(cast(f_pieces as double)) <= 1e+150)) end end as double) as f10,
  cast(case when count(f_weight) filter (where counted >= start_0) < 2 then null when min(f_weight) filter (where counted >= start_0) = max(f_weight) filter (where counted >= start_0) then 0 when count(f_weight) filter (where counted >= start_0 and not (abs(cast(f_weight as double)) <= 1e+150)) > 0 then null else case when not isnan((stddev_samp(cast(f_weight as double)) filter (where counted >= start_0 and abs(cast(f_weight as double)) <= 1e+150))) and abs((stddev_samp(cast(f_weight as double)) filter (where counted >= start_0 and abs(cast(f_weight as double)) <= 1e+150))) < double('infinity') then (stddev_samp(cast(f_weight as double)) filter (where counted >= start_0 and abs(cast(f_weight as double)) <= 1e+150)) end end as double) as f11,
  cast(count(distinct f_baker) filter (where counted >= start_1) as bigint) as f12,
  cast(min_by(f_baker, struct(counted, _topic, _partition, _offset)) filter (where counted >= start_1 and f_baker is not null) as string) as f13,
  cast(max_by(f_price, struct(counted, _topic, _partition, _offset)) filter (where counted >= start_0 and f_price is not null) as decimal(18, 2)) as f14
from pairs group by place;
insert overwrite directory '/lake/found' using parquet
select s.place, r0.e as e_0, r0.closing as closing_0, r0.f0 as f0_0, r0.f1 as f1_0, r0.f2 as f2_0, r0.f3 as f3_0, r0.f4 as f4_0, r0.f5 as f5_0, r0.f6 as f6_0, r0.f7 as f7_0, r0.f8 as f8_0, r0.f9 as f9_0, r0.f10 as f10_0, r0.f11 as f11_0, r0.f12 as f12_0, r0.f13 as f13_0, r0.f14 as f14_0
from spine as s
left join found_0 as r0 on r0.place = s.place;
