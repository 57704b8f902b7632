set spark.sql.session.timeZone=UTC;
set spark.sql.ansi.enabled=true;
set spark.sql.parquet.outputTimestampType=TIMESTAMP_MICROS;
set spark.sql.parquet.datetimeRebaseModeInRead=CORRECTED;
set spark.sql.parquet.datetimeRebaseModeInWrite=CORRECTED;
create or replace temporary view fg_files using parquet options (
  path '/lake/events', recursiveFileLookup 'true', pathGlobFilter '*.parquet', mergeSchema 'true');
create or replace temporary view fg_events as
select
  cast(`customer_id` as bigint) as k0,
  cast(`shop` as string) as f0,
  case when abs(cast(`amount` as double)) < double('Infinity') then cast(`amount` as double) + cast(0 as double) end as f1,
  unix_micros(`_counted_at`) as moment,
  `_topic` as topic_name,
  `_partition` as partition_number,
  `_offset` as offset_number
from fg_files
where `counts` and `_counted_at` >= timestamp_micros(1780272000000000L) and `_counted_at` < timestamp_micros(1791417600000000L) and `customer_id` is not null;
create or replace temporary view fg_placed as
select *, greatest(last_0, last_1) as last_index
from (
  select *,
    greatest(0L, least(100L, (moment - 1782777600000000L) div 86400000000L)) as first_index,
    greatest(0L, least(100L, ((moment - pmod(moment, 86400000000L) + 2678399999999L) - 1782777600000000L) div 86400000000L)) - 1 as last_0,
    greatest(0L, least(100L, ((moment - pmod(moment, 3600000000L) + 608399999999L) - 1782777600000000L) div 86400000000L)) - 1 as last_1
  from fg_events
);
create or replace temporary view fg_tiles as
select k0, first_index, last_0, last_1, last_index,
  sum(cast(f1 as double) * 5.421010862427522e-20D) as c0_s,
  sum(abs(cast(f1 as double) * 5.421010862427522e-20D)) as c0_a,
  count(f1) as c0_n,
  max(f1) as c0_hi,
  count(*) as c1_n,
  collect_set(f0) as c2_d
from fg_placed where first_index <= last_index
group by k0, first_index, last_0, last_1, last_index;
create or replace temporary view fg_parts as
select k0, snapshot_index,
  sum(c0_s) filter (where snapshot_index <= last_0) as p0_0_s,
  sum(c0_a) filter (where snapshot_index <= last_0) as p0_0_a,
  sum(c0_n) filter (where snapshot_index <= last_0) as p0_0_n,
  max(c0_hi) filter (where snapshot_index <= last_0) as p0_0_hi,
  sum(c1_n) filter (where snapshot_index <= last_1) as p1_1_n,
  size(array_distinct(flatten(collect_list(c2_d) filter (where snapshot_index <= last_0)))) as p2_0_d
from (select *, explode(sequence(first_index, last_index)) as snapshot_index from fg_tiles)
group by k0, snapshot_index;
create or replace temporary view fg_rows as
select *, explode(if(snapshot_index < 99L and (next_index is null or next_index > snapshot_index + 1L),
  array(false, true), array(false))) as closing
from (
  select *,
    lead(snapshot_index) over (partition by k0 order by snapshot_index) as next_index
  from fg_parts
);
insert overwrite directory '/lake/rows' using parquet
select k0 as `customer_id`,
  timestamp_micros(1782864000000000L + if(closing, snapshot_index + 1L, snapshot_index) * 86400000000L) as event_timestamp, closing,
  if(closing, cast(0 as double), cast(case when abs(coalesce(p0_0_s, 0D) / 5.421010862427522e-20D) < double('Infinity') then coalesce(p0_0_s, 0D) / 5.421010862427522e-20D end as double)) as `total_30d`,
  if(closing, cast(0 as double), cast(coalesce(p0_0_a, 0D) * 1e-9D / 5.421010862427522e-20D as double)) as `total_30d__tolerance`,
  if(closing, cast(null as double), cast(case when abs(p0_0_s / nullif(p0_0_n, 0) / 5.421010862427522e-20D) < double('Infinity') then p0_0_s / nullif(p0_0_n, 0) / 5.421010862427522e-20D end as double)) as `average_30d`,
  if(closing, cast(0 as double), cast(p0_0_a * 1e-9D / nullif(p0_0_n, 0) / 5.421010862427522e-20D as double)) as `average_30d__tolerance`,
  if(closing, cast(null as double), cast(p0_0_hi as double)) as `largest_30d`,
  if(closing, cast(0 as bigint), cast(cast(coalesce(p1_1_n, 0) as bigint) as bigint)) as `count_7d`,
  if(closing, cast(0 as bigint), cast(p2_0_d as bigint)) as `shops_30d`
from fg_rows where closing or snapshot_index >= 0L;
