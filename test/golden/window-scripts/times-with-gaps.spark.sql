set spark.sql.session.timeZone=UTC;
set spark.sql.ansi.enabled=true;
set spark.sql.parquet.outputTimestampType=TIMESTAMP_MICROS;
set spark.sql.parquet.datetimeRebaseModeInRead=CORRECTED;
set spark.sql.parquet.datetimeRebaseModeInWrite=CORRECTED;
create or replace temporary view fg_files using parquet options (
  path '/lake/events', recursiveFileLookup 'true', pathGlobFilter '*.parquet', mergeSchema 'true');
create or replace temporary view fg_events as
select
  cast(`shop` as string) as k0,
  cast(`till` as string) as k1,
  cast(`shop` as string) as f0,
  case when abs(cast(`amount` as double)) < double('Infinity') then cast(`amount` as double) + cast(0 as double) end as f1,
  cast(`price` as decimal(19, 2)) as f2,
  unix_micros(`_counted_at`) as moment,
  `_topic` as topic_name,
  `_partition` as partition_number,
  `_offset` as offset_number
from fg_files
where `counts` and `_counted_at` >= timestamp_micros(1780268400000000L) and `_counted_at` < timestamp_micros(1780585200000000L) and `shop` is not null and `till` is not null;
create or replace temporary view fg_placed as
select *, greatest(last_0, last_1, last_2, last_3) as last_index
from (
  select *,
    greatest(0L, least(13L, (moment - 1780354800000000L) div 1800000000L)) + case when moment >= 1780444800000000L then 1L else 0L end + case when moment >= 1780446600000000L then 1L else 0L end + case when moment >= 1780534800000000L then 1L else 0L end + greatest(0L, least(6L, (moment - 1780542000000000L) div 7200000000L)) as first_index,
    greatest(0L, least(13L, ((moment - pmod(moment, 300000000L) + 3899999999L) - 1780354800000000L) div 1800000000L)) + case when (moment - pmod(moment, 300000000L) + 3899999999L) >= 1780444800000000L then 1L else 0L end + case when (moment - pmod(moment, 300000000L) + 3899999999L) >= 1780446600000000L then 1L else 0L end + case when (moment - pmod(moment, 300000000L) + 3899999999L) >= 1780534800000000L then 1L else 0L end + greatest(0L, least(6L, ((moment - pmod(moment, 300000000L) + 3899999999L) - 1780542000000000L) div 7200000000L)) - 1 as last_0,
    greatest(0L, least(13L, ((moment - pmod(moment, 3600000000L) + 89999999999L) - 1780354800000000L) div 1800000000L)) + case when (moment - pmod(moment, 3600000000L) + 89999999999L) >= 1780444800000000L then 1L else 0L end + case when (moment - pmod(moment, 3600000000L) + 89999999999L) >= 1780446600000000L then 1L else 0L end + case when (moment - pmod(moment, 3600000000L) + 89999999999L) >= 1780534800000000L then 1L else 0L end + greatest(0L, least(6L, ((moment - pmod(moment, 3600000000L) + 89999999999L) - 1780542000000000L) div 7200000000L)) - 1 as last_1,
    greatest(0L, least(13L, ((moment - pmod(moment, 420000000L) + 86819999999L) - 1780354800000000L) div 1800000000L)) + case when (moment - pmod(moment, 420000000L) + 86819999999L) >= 1780444800000000L then 1L else 0L end + case when (moment - pmod(moment, 420000000L) + 86819999999L) >= 1780446600000000L then 1L else 0L end + case when (moment - pmod(moment, 420000000L) + 86819999999L) >= 1780534800000000L then 1L else 0L end + greatest(0L, least(6L, ((moment - pmod(moment, 420000000L) + 86819999999L) - 1780542000000000L) div 7200000000L)) - 1 as last_2,
    greatest(0L, least(13L, ((moment - pmod(moment, 300000000L) + 7499999999L) - 1780354800000000L) div 1800000000L)) + case when (moment - pmod(moment, 300000000L) + 7499999999L) >= 1780444800000000L then 1L else 0L end + case when (moment - pmod(moment, 300000000L) + 7499999999L) >= 1780446600000000L then 1L else 0L end + case when (moment - pmod(moment, 300000000L) + 7499999999L) >= 1780534800000000L then 1L else 0L end + greatest(0L, least(6L, ((moment - pmod(moment, 300000000L) + 7499999999L) - 1780542000000000L) div 7200000000L)) - 1 as last_3
  from fg_events
);
create or replace temporary view fg_tiles as
select k0, k1, first_index, last_0, last_1, last_2, last_3, last_index,
  count(*) as c0_n,
  sum(cast(f1 as double) * 5.421010862427522e-20D) as c1_s,
  count(f1) as c1_n,
  min(f1) as c1_lo,
  max(f1) as c1_hi,
  count(*) filter (where abs(cast(f1 as double)) > 1e+150D) as c1_x,
  named_struct('tile', min(moment), 'n', count(cast(f1 as double)) filter (where abs(cast(f1 as double)) <= 1e+150D), 'mean', case when min(cast(f1 as double)) filter (where abs(cast(f1 as double)) <= 1e+150D) = max(cast(f1 as double)) filter (where abs(cast(f1 as double)) <= 1e+150D) then min(cast(f1 as double)) filter (where abs(cast(f1 as double)) <= 1e+150D) else avg(cast(f1 as double)) filter (where abs(cast(f1 as double)) <= 1e+150D) end, 'm2', case when min(cast(f1 as double)) filter (where abs(cast(f1 as double)) <= 1e+150D) = max(cast(f1 as double)) filter (where abs(cast(f1 as double)) <= 1e+150D) then 0D else var_pop(cast(f1 as double)) filter (where abs(cast(f1 as double)) <= 1e+150D) * count(cast(f1 as double)) filter (where abs(cast(f1 as double)) <= 1e+150D) end) as c1_v,
  collect_set(f0) as c2_d,
  max_by(struct(struct(moment, topic_name, partition_number, offset_number) as place, f2 as value), struct(moment, topic_name, partition_number, offset_number)) filter (where f2 is not null) as c3_last,
  sum(abs(cast(f1 as double) * 5.421010862427522e-20D)) as c1_a
from fg_placed where first_index <= last_index
group by k0, k1, first_index, last_0, last_1, last_2, last_3, last_index;
create or replace temporary view fg_parts as
select k0, k1, snapshot_index,
  sum(c0_n) filter (where snapshot_index <= last_0) as p0_0_n,
  sum(c1_s) filter (where snapshot_index <= last_1) as p1_1_s,
  sum(c1_n) filter (where snapshot_index <= last_1) as p1_1_n,
  sum(c1_x) filter (where snapshot_index <= last_1) as p1_1_x,
  min(c1_lo) filter (where snapshot_index <= last_1) as p1_1_lo,
  max(c1_hi) filter (where snapshot_index <= last_1) as p1_1_hi,
  aggregate(array_sort(collect_list(c1_v) filter (where snapshot_index <= last_1 and c1_v.n > 0)), named_struct('n', 0L, 'mean', 0D, 'm2', 0D), (l, r) -> named_struct('n', l.n + r.n, 'mean', l.mean + (r.mean - l.mean) * r.n / (l.n + r.n), 'm2', l.m2 + r.m2 + (r.mean - l.mean) * (r.mean - l.mean) * l.n * r.n / (l.n + r.n)), f -> case when f.n > 1 then f.m2 / (f.n - 1) end) as p1_1_w,
  size(array_distinct(flatten(collect_list(c2_d) filter (where snapshot_index <= last_1)))) as p2_1_d,
  max_by(c3_last.value, c3_last.place) filter (where snapshot_index <= last_2 and c3_last is not null) as p3_2_last,
  sum(c1_s) filter (where snapshot_index <= last_3) as p1_3_s,
  sum(c1_a) filter (where snapshot_index <= last_3) as p1_3_a,
  sum(c1_a) filter (where snapshot_index <= last_1) as p1_1_a
from (select *, explode(sequence(first_index, last_index)) as snapshot_index from fg_tiles)
group by k0, k1, snapshot_index;
create or replace temporary view fg_rows as
select *, explode(if(snapshot_index < 21L and (next_index is null or next_index > snapshot_index + 1L),
  array(false, true), array(false))) as closing
from (
  select *,
    case when p1_1_n < 2 then null when p1_1_lo = p1_1_hi then 0D when p1_1_x > 0 then null else p1_1_w end as p1_1_v,
    lead(snapshot_index) over (partition by k0, k1 order by snapshot_index) as next_index
  from fg_parts
);
insert overwrite directory '/lake/rows' using parquet
select k0 as `shop`, k1 as `till`,
  timestamp_micros(array(1780356600000000L, 1780358400000000L, 1780360200000000L, 1780362000000000L, 1780363800000000L, 1780365600000000L, 1780367400000000L, 1780369200000000L, 1780371000000000L, 1780372800000000L, 1780374600000000L, 1780376400000000L, 1780378200000000L, 1780444800000000L, 1780446600000000L, 1780534800000000L, 1780549200000000L, 1780556400000000L, 1780563600000000L, 1780570800000000L, 1780578000000000L, 1780585200000000L)[cast(if(closing, snapshot_index + 1L, snapshot_index) as int)]) as event_timestamp, closing,
  if(closing, cast(0 as bigint), cast(cast(coalesce(p0_0_n, 0) as bigint) as bigint)) as `n`,
  if(closing, cast(null as double), cast(p1_1_v as double)) as `spread`,
  if(closing, cast(0 as double), cast(1e-9D * p1_1_v + 1e-14D * abs(p1_1_s / p1_1_n / 5.421010862427522e-20D) * sqrt(p1_1_v) as double)) as `spread__tolerance`,
  if(closing, cast(0 as bigint), cast(p2_1_d as bigint)) as `shops`,
  if(closing, cast(null as decimal(19, 2)), cast(p3_2_last as decimal(19, 2))) as `last_price`,
  if(closing, cast(0 as double), cast(case when abs(coalesce(p1_3_s, 0D) / 5.421010862427522e-20D) < double('Infinity') then coalesce(p1_3_s, 0D) / 5.421010862427522e-20D end as double)) as `a`,
  if(closing, cast(0 as double), cast(case when abs(coalesce(p1_1_s, 0D) / 5.421010862427522e-20D) < double('Infinity') then coalesce(p1_1_s, 0D) / 5.421010862427522e-20D end as double)) as `a__tolerance`,
  if(closing, cast(0 as double), cast(coalesce(p1_1_a, 0D) * 1e-9D / 5.421010862427522e-20D as double)) as `a__tolerance__tolerance`
from fg_rows where closing or snapshot_index >= 1L;
