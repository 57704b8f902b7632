set preserve_insertion_order = false;
create or replace temp view fg_events as
select *, greatest(last_0, last_1) as last_index
from (
  select *,
    case when moment >= -2208992400000000::bigint then 1::bigint else 0::bigint end as first_index,
    case when (moment - (moment % 300000000 + 300000000) % 300000000 + 3899999999::bigint) >= -2208992400000000::bigint then 1::bigint else 0::bigint end - 1 as last_0,
    case when (moment - (moment % 3600000000 + 3600000000) % 3600000000 + 89999999999::bigint) >= -2208992400000000::bigint then 1::bigint else 0::bigint end - 1 as last_1
  from (
    select
      cast("shop" as varchar) as k0,
      cast("till" as varchar) as k1,
      case when isfinite(cast("amount" as double)) then cast("amount" as double) + cast(0 as double) end as f0,
      cast("points" as bigint) as f1,
      epoch_us("_counted_at") as moment,
      "_topic" as topic_name,
      "_partition" as partition_number,
      "_offset" as offset_number
    from read_parquet('/lake/events/**/*.parquet', hive_partitioning = false, union_by_name = true)
    where "counts"
      and "_counted_at" >= timestamptz '1899-12-30T23:00:00.000000Z'
      and "_counted_at" < timestamptz '1899-12-31T23:00:00.000000Z'
      and "shop" is not null
      and "till" is not null
  )
);
create or replace temp table fg_tiles as
select k0, k1, first_index, last_0, last_1, last_index,
  min(moment) as moment,
  count(*) as c0_n,
  sum(cast(f0 as double) * 5.421010862427522e-20::double) as c1_s,
  sum(abs(cast(f0 as double) * 5.421010862427522e-20::double)) as c1_a,
  arg_max(f1, row(moment, topic_name, partition_number, offset_number)) filter (where f1 is not null) as c2_last
from fg_events where first_index <= last_index
group by k0, k1, first_index, last_0, last_1, last_index;
copy (
with runs as (
  -- Snapshots that have the key's row because of a tile, but for those that the next tile gives it; and where it closes.
  select k0, k1, first_index, least(last_index, coalesce(next_index - 1, last_index)) as until_index,
    last_index < 0 and (next_index is null or next_index > last_index + 1) as closes
  from (
    select k0, k1, first_index, last_index,
      lead(first_index) over (partition by k0, k1 order by moment) as next_index
    from fg_tiles
  )
), snapshots as (
  select k0, k1, unnest(range(greatest(first_index, 0), until_index + 1)) as index from runs
), timeline as (
  select k0, k1, moment, moment as start_0, moment as start_1, false as is_snapshot, c0_n, c1_s, c1_a, c2_last
  from fg_tiles
  union all
  select k0, k1, moment, (moment - 3600000000) - ((moment - 3600000000) % 300000000 + 300000000) % 300000000 as start_0, (moment - 86400000000) - ((moment - 86400000000) % 3600000000 + 3600000000) % 3600000000 as start_1, true as is_snapshot, null as c0_n, null as c1_s, null as c1_a, null as c2_last
  from (select k0, k1, -2208992400000000::bigint + index * 1::bigint as moment from snapshots)
), parts as (
  select k0, k1, moment, is_snapshot,
    sum(c0_n) over w0 as p0_0_n,
    sum(c1_s) over w1 as p1_1_s,
    sum(c1_a) over w1 as p1_1_a,
    last_value(c2_last ignore nulls) over w1 as p2_1_last
  from timeline
  window w0 as (partition by k0, k1 order by moment range between (moment - start_0) preceding and 1 preceding),
    w1 as (partition by k0, k1 order by moment range between (moment - start_1) preceding and 1 preceding)
), finished as (
  select *
  from parts where is_snapshot
)
select k0 as "shop", k1 as "till", make_timestamptz(moment) as event_timestamp, false as closing,
  cast(cast(coalesce(p0_0_n, 0) as bigint) as bigint) as "n",
  cast(case when isfinite(coalesce(p1_1_s, 0::double) / 5.421010862427522e-20::double) then coalesce(p1_1_s, 0::double) / 5.421010862427522e-20::double end as double) as "amount_sum",
  cast(coalesce(p1_1_a, 0::double) * 1e-9::double / 5.421010862427522e-20::double as double) as "amount_sum__tolerance",
  cast(p2_1_last as bigint) as "latest"
from finished
union all
select k0, k1, make_timestamptz(-2208992400000000::bigint + (until_index + 1) * 1::bigint), true,
  cast(0 as bigint), cast(0 as double), cast(0 as double), cast(null as bigint)
from runs where closes
) to '/lake/rows' (format parquet, compression zstd, per_thread_output true);
