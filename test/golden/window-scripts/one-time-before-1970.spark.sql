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
  case when abs(cast(`amount` as double)) < double('Infinity') then cast(`amount` as double) + cast(0 as double) end as f0,
  cast(`points` as bigint) as f1,
  unix_micros(`_counted_at`) as moment,
  `_topic` as topic_name,
  `_partition` as partition_number,
  `_offset` as offset_number
from fg_files
where `counts` and `_counted_at` >= timestamp_micros(-2209078800000000L) and `_counted_at` < timestamp_micros(-2208992400000000L) and `shop` is not null and `till` is not null;
create or replace temporary view fg_placed as
select *, greatest(last_0, last_1) as last_index
from (
  select *,
    case when moment >= -2208992400000000L then 1L else 0L end as first_index,
    case when (moment - pmod(moment, 300000000L) + 3899999999L) >= -2208992400000000L then 1L else 0L end - 1 as last_0,
    case when (moment - pmod(moment, 3600000000L) + 89999999999L) >= -2208992400000000L then 1L else 0L end - 1 as last_1
  from fg_events
);
create or replace temporary view fg_tiles as
select k0, k1, first_index, last_0, last_1, last_index,
  count(*) as c0_n,
  sum(cast(f0 as double) * 5.421010862427522e-20D) as c1_s,
  sum(abs(cast(f0 as double) * 5.421010862427522e-20D)) as c1_a,
  max_by(struct(struct(moment, topic_name, partition_number, offset_number) as place, f1 as value), struct(moment, topic_name, partition_number, offset_number)) filter (where f1 is not null) as c2_last
from fg_placed where first_index <= last_index
group by k0, k1, first_index, last_0, last_1, last_index;
create or replace temporary view fg_parts as
select k0, k1, snapshot_index,
  sum(c0_n) filter (where snapshot_index <= last_0) as p0_0_n,
  sum(c1_s) filter (where snapshot_index <= last_1) as p1_1_s,
  sum(c1_a) filter (where snapshot_index <= last_1) as p1_1_a,
  max_by(c2_last.value, c2_last.place) filter (where snapshot_index <= last_1 and c2_last is not null) as p2_1_last
from (select *, explode(sequence(first_index, last_index)) as snapshot_index from fg_tiles)
group by k0, k1, snapshot_index;
create or replace temporary view fg_rows as
select *, explode(if(snapshot_index < 0L and (next_index is null or next_index > snapshot_index + 1L),
  array(false, true), array(false))) as closing
from (
  select *,
    lead(snapshot_index) over (partition by k0, k1 order by snapshot_index) as next_index
  from fg_parts
);
insert overwrite directory '/lake/rows' using parquet
select k0 as `shop`, k1 as `till`,
  timestamp_micros(-2208992400000000L + if(closing, snapshot_index + 1L, snapshot_index) * 1L) as event_timestamp, closing,
  if(closing, cast(0 as bigint), cast(cast(coalesce(p0_0_n, 0) as bigint) as bigint)) as `n`,
  if(closing, cast(0 as double), cast(case when abs(coalesce(p1_1_s, 0D) / 5.421010862427522e-20D) < double('Infinity') then coalesce(p1_1_s, 0D) / 5.421010862427522e-20D end as double)) as `amount_sum`,
  if(closing, cast(0 as double), cast(coalesce(p1_1_a, 0D) * 1e-9D / 5.421010862427522e-20D as double)) as `amount_sum__tolerance`,
  if(closing, cast(null as bigint), cast(p2_1_last as bigint)) as `latest`
from fg_rows where closing or snapshot_index >= 0L;
