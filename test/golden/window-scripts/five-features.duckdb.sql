set preserve_insertion_order = false;
create or replace temp view fg_events as
select *, greatest(last_0, last_1) as last_index
from (
  select *,
    greatest(0::bigint, least(100::bigint, (moment - 1782777600000000::bigint) // 86400000000::bigint)) as first_index,
    greatest(0::bigint, least(100::bigint, ((moment - (moment % 86400000000 + 86400000000) % 86400000000 + 2678399999999::bigint) - 1782777600000000::bigint) // 86400000000::bigint)) - 1 as last_0,
    greatest(0::bigint, least(100::bigint, ((moment - (moment % 3600000000 + 3600000000) % 3600000000 + 608399999999::bigint) - 1782777600000000::bigint) // 86400000000::bigint)) - 1 as last_1
  from (
    select
      cast("customer_id" as bigint) as k0,
      cast("shop" as varchar) as f0,
      case when isfinite(cast("amount" as double)) then cast("amount" as double) + cast(0 as double) end as f1,
      epoch_us("_counted_at") as moment,
      "_topic" as topic_name,
      "_partition" as partition_number,
      "_offset" as offset_number
    from read_parquet('/lake/events/**/*.parquet', hive_partitioning = false, union_by_name = true)
    where "counts"
      and "_counted_at" >= timestamptz '2026-06-01T00:00:00.000000Z'
      and "_counted_at" < timestamptz '2026-10-08T00:00:00.000000Z'
      and "customer_id" is not null
  )
);
create or replace temp table fg_tiles as
select k0, first_index, last_0, last_1, last_index,
  min(moment) as moment,
  sum(cast(f1 as double) * 5.421010862427522e-20::double) as c0_s,
  sum(abs(cast(f1 as double) * 5.421010862427522e-20::double)) as c0_a,
  count(f1) as c0_n,
  max(f1) as c0_hi,
  count(*) as c1_n
from fg_events where first_index <= last_index
group by k0, first_index, last_0, last_1, last_index;
create or replace temp table fg_differences as
with present as (
  select k0, 0 as feature, from_index, last_0 + 1 as to_index
  from (
    select k0, last_0, greatest(first_index, coalesce(lag(last_0) over (
      partition by k0, f0 order by first_index, last_0) + 1, 0)) as from_index
    from (
      select distinct k0, f0, first_index, last_0 from fg_events
      where f0 is not null and first_index <= last_0
    )
  ) where from_index <= last_0
)
select k0, index, sum(difference) filter (where feature = 0) as p2_0_c
from (
  select k0, feature, from_index as index, 1 as difference from present
  union all
  select k0, feature, to_index, -1 from present where to_index < 100
)
group by k0, index;
copy (
with runs as (
  -- Snapshots that have the key's row because of a tile, but for those that the next tile gives it; and where it closes.
  select k0, first_index, least(last_index, coalesce(next_index - 1, last_index)) as until_index,
    last_index < 99 and (next_index is null or next_index > last_index + 1) as closes
  from (
    select k0, first_index, last_index,
      lead(first_index) over (partition by k0 order by moment) as next_index
    from fg_tiles
  )
), snapshots as (
  select k0, unnest(range(greatest(first_index, 0), until_index + 1)) as index from runs
), timeline as (
  select k0, moment, moment as start_0, moment as start_1, false as is_snapshot, c0_s, c0_a, c0_n, c0_hi, c1_n, null as p2_0_c
  from fg_tiles
  union all
  select k0, 1782864000000000::bigint + index * 86400000000::bigint as moment, moment as start_0, moment as start_1, false as is_snapshot, null as c0_s, null as c0_a, null as c0_n, null as c0_hi, null as c1_n, p2_0_c
  from fg_differences
  union all
  select k0, moment, (moment - 2592000000000) - ((moment - 2592000000000) % 86400000000 + 86400000000) % 86400000000 as start_0, (moment - 604800000000) - ((moment - 604800000000) % 3600000000 + 3600000000) % 3600000000 as start_1, true as is_snapshot, null as c0_s, null as c0_a, null as c0_n, null as c0_hi, null as c1_n, null as p2_0_c
  from (select k0, 1782864000000000::bigint + index * 86400000000::bigint as moment from snapshots)
), parts as (
  select k0, moment, is_snapshot,
    sum(c0_s) over w0 as p0_0_s,
    sum(c0_a) over w0 as p0_0_a,
    sum(c0_n) over w0 as p0_0_n,
    max(c0_hi) over w0 as p0_0_hi,
    sum(c1_n) over w1 as p1_1_n,
    sum(p2_0_c) over until_now as p2_0_d
  from timeline
  window w0 as (partition by k0 order by moment range between (moment - start_0) preceding and 1 preceding),
    w1 as (partition by k0 order by moment range between (moment - start_1) preceding and 1 preceding),
    until_now as (partition by k0 order by moment range unbounded preceding)
), finished as (
  select *
  from parts where is_snapshot
)
select k0 as "customer_id", make_timestamptz(moment) as event_timestamp, false as closing,
  cast(case when isfinite(coalesce(p0_0_s, 0::double) / 5.421010862427522e-20::double) then coalesce(p0_0_s, 0::double) / 5.421010862427522e-20::double end as double) as "total_30d",
  cast(coalesce(p0_0_a, 0::double) * 1e-9::double / 5.421010862427522e-20::double as double) as "total_30d__tolerance",
  cast(case when isfinite(p0_0_s / nullif(p0_0_n, 0) / 5.421010862427522e-20::double) then p0_0_s / nullif(p0_0_n, 0) / 5.421010862427522e-20::double end as double) as "average_30d",
  cast(p0_0_a * 1e-9::double / nullif(p0_0_n, 0) / 5.421010862427522e-20::double as double) as "average_30d__tolerance",
  cast(p0_0_hi as double) as "largest_30d",
  cast(cast(coalesce(p1_1_n, 0) as bigint) as bigint) as "count_7d",
  cast(coalesce(p2_0_d, 0) as bigint) as "shops_30d"
from finished
union all
select k0, make_timestamptz(1782864000000000::bigint + (until_index + 1) * 86400000000::bigint), true,
  cast(0 as double), cast(0 as double), cast(null as double), cast(0 as double), cast(null as double), cast(0 as bigint), cast(0 as bigint)
from runs where closes
) to '/lake/rows' (format parquet, compression zstd, per_thread_output true);
