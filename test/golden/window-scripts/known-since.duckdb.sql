set preserve_insertion_order = false;
create or replace temp view fg_events as
select *, last_0 as last_index
from (
  select *,
    greatest(0::bigint, least(7::bigint, (moment - 1780351200000000::bigint) // 3600000000::bigint)) + case when moment >= 1780390800000000::bigint then 1::bigint else 0::bigint end as first_index,
    greatest(0::bigint, least(7::bigint, ((moment - (moment % 300000000 + 300000000) % 300000000 + 7499999999::bigint) - 1780351200000000::bigint) // 3600000000::bigint)) + case when (moment - (moment % 300000000 + 300000000) % 300000000 + 7499999999::bigint) >= 1780390800000000::bigint then 1::bigint else 0::bigint end - 1 as last_0
  from (
    select
      cast("customer_id" as bigint) as k0,
      case when isfinite(cast("amount" as double)) then cast("amount" as double) + cast(0 as double) end as f0,
      epoch_us("_counted_at") as moment,
      "_topic" as topic_name,
      "_partition" as partition_number,
      "_offset" as offset_number
    from read_parquet('/lake/events/**/*.parquet', hive_partitioning = false, union_by_name = true)
    where "counts"
      and "_counted_at" >= timestamptz '2026-06-01T21:00:00.000000Z'
      and "_counted_at" < timestamptz '2026-06-02T09:00:00.000000Z'
      and "customer_id" is not null
  )
);
create or replace temp table fg_tiles as
select k0, first_index, last_0, last_index,
  min(moment) as moment,
  count(*) as c0_n,
  sum(cast(f0 as double) * 5.421010862427522e-20::double) as c1_s,
  sum(abs(cast(f0 as double) * 5.421010862427522e-20::double)) as c1_a
from fg_events where first_index <= last_index
group by k0, first_index, last_0, last_index;
copy (
with runs as (
  -- Snapshots that have the key's row because of a tile, but for those that the next tile gives it; and where it closes.
  select k0, first_index, least(last_index, coalesce(next_index - 1, last_index)) as until_index,
    last_index < 7 and (next_index is null or next_index > last_index + 1) as closes
  from (
    select k0, first_index, last_index,
      lead(first_index) over (partition by k0 order by moment) as next_index
    from fg_tiles
  )
), snapshots as (
  select k0, unnest(range(greatest(first_index, 1), until_index + 1)) as index from runs
), timeline as (
  select k0, moment, moment as start_0, false as is_snapshot, c0_n, c1_s, c1_a
  from fg_tiles
  union all
  select k0, moment, (moment - 7200000000) - ((moment - 7200000000) % 300000000 + 300000000) % 300000000 as start_0, true as is_snapshot, null as c0_n, null as c1_s, null as c1_a
  from (select k0, [1780354800000000, 1780358400000000, 1780362000000000, 1780365600000000, 1780369200000000, 1780372800000000, 1780376400000000, 1780390800000000][index + 1] as moment from snapshots)
), parts as (
  select k0, moment, is_snapshot,
    sum(c0_n) over w0 as p0_0_n,
    sum(c1_s) over w0 as p1_0_s,
    sum(c1_a) over w0 as p1_0_a
  from timeline
  window w0 as (partition by k0 order by moment range between (moment - start_0) preceding and 1 preceding)
), finished as (
  select *
  from parts where is_snapshot
)
select k0 as "customer_id", make_timestamptz(moment) as event_timestamp, false as closing,
  make_timestamptz(least(moment + 1800000000::bigint, 1780373400000000::bigint)) as created_timestamp,
  cast(null as bigint) as row_id,
  cast(cast(coalesce(p0_0_n, 0) as bigint) as bigint) as "n",
  cast(case when isfinite(coalesce(p1_0_s, 0::double) / 5.421010862427522e-20::double) then coalesce(p1_0_s, 0::double) / 5.421010862427522e-20::double end as double) as "total",
  cast(coalesce(p1_0_a, 0::double) * 1e-9::double / 5.421010862427522e-20::double as double) as "total__tolerance"
from finished
union all
select k0, make_timestamptz([1780354800000000, 1780358400000000, 1780362000000000, 1780365600000000, 1780369200000000, 1780372800000000, 1780376400000000, 1780390800000000][(until_index + 1) + 1]), true,
  make_timestamptz(least([1780354800000000, 1780358400000000, 1780362000000000, 1780365600000000, 1780369200000000, 1780372800000000, 1780376400000000, 1780390800000000][(until_index + 1) + 1] + 1800000000::bigint, 1780373400000000::bigint)), cast(null as bigint), cast(0 as bigint), cast(0 as double), cast(0 as double)
from runs where closes
) to '/lake/rows' (format parquet, compression zstd, per_thread_output true);
