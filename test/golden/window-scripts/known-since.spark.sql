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
  case when abs(cast(`amount` as double)) < double('Infinity') then cast(`amount` as double) + cast(0 as double) end as f0,
  unix_micros(`_counted_at`) as moment,
  `_topic` as topic_name,
  `_partition` as partition_number,
  `_offset` as offset_number
from fg_files
where `counts` and `_counted_at` >= timestamp_micros(1780347600000000L) and `_counted_at` < timestamp_micros(1780390800000000L) and `customer_id` is not null;
create or replace temporary view fg_placed as
select *, last_0 as last_index
from (
  select *,
    greatest(0L, least(7L, (moment - 1780351200000000L) div 3600000000L)) + case when moment >= 1780390800000000L then 1L else 0L end as first_index,
    greatest(0L, least(7L, ((moment - pmod(moment, 300000000L) + 7499999999L) - 1780351200000000L) div 3600000000L)) + case when (moment - pmod(moment, 300000000L) + 7499999999L) >= 1780390800000000L then 1L else 0L end - 1 as last_0
  from fg_events
);
create or replace temporary view fg_tiles as
select k0, first_index, last_0, last_index,
  count(*) as c0_n,
  sum(cast(f0 as double) * 5.421010862427522e-20D) as c1_s,
  sum(abs(cast(f0 as double) * 5.421010862427522e-20D)) as c1_a
from fg_placed where first_index <= last_index
group by k0, first_index, last_0, last_index;
create or replace temporary view fg_parts as
select k0, snapshot_index,
  sum(c0_n) filter (where snapshot_index <= last_0) as p0_0_n,
  sum(c1_s) filter (where snapshot_index <= last_0) as p1_0_s,
  sum(c1_a) filter (where snapshot_index <= last_0) as p1_0_a
from (select *, explode(sequence(first_index, last_index)) as snapshot_index from fg_tiles)
group by k0, snapshot_index;
create or replace temporary view fg_rows as
select *, explode(if(snapshot_index < 7L and (next_index is null or next_index > snapshot_index + 1L),
  array(false, true), array(false))) as closing
from (
  select *,
    lead(snapshot_index) over (partition by k0 order by snapshot_index) as next_index
  from fg_parts
);
insert overwrite directory '/lake/rows' using parquet
select k0 as `customer_id`,
  timestamp_micros(array(1780354800000000L, 1780358400000000L, 1780362000000000L, 1780365600000000L, 1780369200000000L, 1780372800000000L, 1780376400000000L, 1780390800000000L)[cast(if(closing, snapshot_index + 1L, snapshot_index) as int)]) as event_timestamp, closing,
  timestamp_micros(least(array(1780354800000000L, 1780358400000000L, 1780362000000000L, 1780365600000000L, 1780369200000000L, 1780372800000000L, 1780376400000000L, 1780390800000000L)[cast(if(closing, snapshot_index + 1L, snapshot_index) as int)] + 1800000000L, 1780373400000000L)) as created_timestamp,
  cast(null as bigint) as row_id,
  if(closing, cast(0 as bigint), cast(cast(coalesce(p0_0_n, 0) as bigint) as bigint)) as `n`,
  if(closing, cast(0 as double), cast(case when abs(coalesce(p1_0_s, 0D) / 5.421010862427522e-20D) < double('Infinity') then coalesce(p1_0_s, 0D) / 5.421010862427522e-20D end as double)) as `total`,
  if(closing, cast(0 as double), cast(coalesce(p1_0_a, 0D) * 1e-9D / 5.421010862427522e-20D as double)) as `total__tolerance`
from fg_rows where closing or snapshot_index >= 1L;
