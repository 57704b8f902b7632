set preserve_insertion_order = false;
create or replace temp view fg_events as
select *, greatest(last_0, last_1, last_2, last_3) as last_index
from (
  select *,
    greatest(0::bigint, least(13::bigint, (moment - 1780354800000000::bigint) // 1800000000::bigint)) + case when moment >= 1780444800000000::bigint then 1::bigint else 0::bigint end + case when moment >= 1780446600000000::bigint then 1::bigint else 0::bigint end + case when moment >= 1780534800000000::bigint then 1::bigint else 0::bigint end + greatest(0::bigint, least(6::bigint, (moment - 1780542000000000::bigint) // 7200000000::bigint)) as first_index,
    greatest(0::bigint, least(13::bigint, ((moment - (moment % 300000000 + 300000000) % 300000000 + 3899999999::bigint) - 1780354800000000::bigint) // 1800000000::bigint)) + case when (moment - (moment % 300000000 + 300000000) % 300000000 + 3899999999::bigint) >= 1780444800000000::bigint then 1::bigint else 0::bigint end + case when (moment - (moment % 300000000 + 300000000) % 300000000 + 3899999999::bigint) >= 1780446600000000::bigint then 1::bigint else 0::bigint end + case when (moment - (moment % 300000000 + 300000000) % 300000000 + 3899999999::bigint) >= 1780534800000000::bigint then 1::bigint else 0::bigint end + greatest(0::bigint, least(6::bigint, ((moment - (moment % 300000000 + 300000000) % 300000000 + 3899999999::bigint) - 1780542000000000::bigint) // 7200000000::bigint)) - 1 as last_0,
    greatest(0::bigint, least(13::bigint, ((moment - (moment % 3600000000 + 3600000000) % 3600000000 + 89999999999::bigint) - 1780354800000000::bigint) // 1800000000::bigint)) + case when (moment - (moment % 3600000000 + 3600000000) % 3600000000 + 89999999999::bigint) >= 1780444800000000::bigint then 1::bigint else 0::bigint end + case when (moment - (moment % 3600000000 + 3600000000) % 3600000000 + 89999999999::bigint) >= 1780446600000000::bigint then 1::bigint else 0::bigint end + case when (moment - (moment % 3600000000 + 3600000000) % 3600000000 + 89999999999::bigint) >= 1780534800000000::bigint then 1::bigint else 0::bigint end + greatest(0::bigint, least(6::bigint, ((moment - (moment % 3600000000 + 3600000000) % 3600000000 + 89999999999::bigint) - 1780542000000000::bigint) // 7200000000::bigint)) - 1 as last_1,
    greatest(0::bigint, least(13::bigint, ((moment - (moment % 420000000 + 420000000) % 420000000 + 86819999999::bigint) - 1780354800000000::bigint) // 1800000000::bigint)) + case when (moment - (moment % 420000000 + 420000000) % 420000000 + 86819999999::bigint) >= 1780444800000000::bigint then 1::bigint else 0::bigint end + case when (moment - (moment % 420000000 + 420000000) % 420000000 + 86819999999::bigint) >= 1780446600000000::bigint then 1::bigint else 0::bigint end + case when (moment - (moment % 420000000 + 420000000) % 420000000 + 86819999999::bigint) >= 1780534800000000::bigint then 1::bigint else 0::bigint end + greatest(0::bigint, least(6::bigint, ((moment - (moment % 420000000 + 420000000) % 420000000 + 86819999999::bigint) - 1780542000000000::bigint) // 7200000000::bigint)) - 1 as last_2,
    greatest(0::bigint, least(13::bigint, ((moment - (moment % 300000000 + 300000000) % 300000000 + 7499999999::bigint) - 1780354800000000::bigint) // 1800000000::bigint)) + case when (moment - (moment % 300000000 + 300000000) % 300000000 + 7499999999::bigint) >= 1780444800000000::bigint then 1::bigint else 0::bigint end + case when (moment - (moment % 300000000 + 300000000) % 300000000 + 7499999999::bigint) >= 1780446600000000::bigint then 1::bigint else 0::bigint end + case when (moment - (moment % 300000000 + 300000000) % 300000000 + 7499999999::bigint) >= 1780534800000000::bigint then 1::bigint else 0::bigint end + greatest(0::bigint, least(6::bigint, ((moment - (moment % 300000000 + 300000000) % 300000000 + 7499999999::bigint) - 1780542000000000::bigint) // 7200000000::bigint)) - 1 as last_3
  from (
    select
      cast("shop" as varchar) as k0,
      cast("till" as varchar) as k1,
      cast("shop" as varchar) as f0,
      case when isfinite(cast("amount" as double)) then cast("amount" as double) + cast(0 as double) end as f1,
      cast("price" as decimal(19, 2)) as f2,
      epoch_us("_counted_at") as moment,
      "_topic" as topic_name,
      "_partition" as partition_number,
      "_offset" as offset_number
    from read_parquet('/lake/events/**/*.parquet', hive_partitioning = false, union_by_name = true)
    where "counts"
      and "_counted_at" >= timestamptz '2026-05-31T23:00:00.000000Z'
      and "_counted_at" < timestamptz '2026-06-04T15:00:00.000000Z'
      and "shop" is not null
      and "till" is not null
  )
);
create or replace temp table fg_tiles as
select k0, k1, first_index, last_0, last_1, last_2, last_3, last_index,
  min(moment) as moment,
  count(*) as c0_n,
  sum(cast(f1 as double) * 5.421010862427522e-20::double) as c1_s,
  count(f1) as c1_n,
  min(f1) as c1_lo,
  max(f1) as c1_hi,
  count(*) filter (where abs(cast(f1 as double)) > 1e+150::double) as c1_x,
  arg_max(f2, row(moment, topic_name, partition_number, offset_number)) filter (where f2 is not null) as c3_last,
  sum(abs(cast(f1 as double) * 5.421010862427522e-20::double)) as c1_a
from fg_events where first_index <= last_index
group by k0, k1, first_index, last_0, last_1, last_2, last_3, last_index;
create or replace temp table fg_differences as
with present as (
  select k0, k1, 0 as feature, from_index, last_1 + 1 as to_index
  from (
    select k0, k1, last_1, greatest(first_index, coalesce(lag(last_1) over (
      partition by k0, k1, f0 order by first_index, last_1) + 1, 0)) as from_index
    from (
      select distinct k0, k1, f0, first_index, last_1 from fg_events
      where f0 is not null and first_index <= last_1
    )
  ) where from_index <= last_1
)
select k0, k1, index, sum(difference) filter (where feature = 0) as p2_1_c
from (
  select k0, k1, feature, from_index as index, 1 as difference from present
  union all
  select k0, k1, feature, to_index, -1 from present where to_index < 22
)
group by k0, k1, index;
copy (
with runs as (
  -- Snapshots that have the key's row because of a tile, but for those that the next tile gives it; and where it closes.
  select k0, k1, first_index, least(last_index, coalesce(next_index - 1, last_index)) as until_index,
    last_index < 21 and (next_index is null or next_index > last_index + 1) as closes
  from (
    select k0, k1, first_index, last_index,
      lead(first_index) over (partition by k0, k1 order by moment) as next_index
    from fg_tiles
  )
), snapshots as (
  select k0, k1, unnest(range(greatest(first_index, 1), until_index + 1)) as index from runs
), timeline as (
  select k0, k1, moment, moment as start_0, moment as start_1, moment as start_2, moment as start_3, false as is_snapshot, c0_n, c1_s, c1_n, c1_lo, c1_hi, c1_x, c3_last, c1_a, null as c1_tame, null as p2_1_c
  from fg_tiles
  union all
  select k0, k1, moment, moment as start_0, moment as start_1, moment as start_2, moment as start_3, false as is_snapshot, null as c0_n, null as c1_s, null as c1_n, null as c1_lo, null as c1_hi, null as c1_x, null as c3_last, null as c1_a, case when abs(cast(f1 as double)) <= 1e+150::double then cast(f1 as double) end as c1_tame, null as p2_1_c
  from fg_events where first_index <= last_index
  union all
  select k0, k1, [1780356600000000, 1780358400000000, 1780360200000000, 1780362000000000, 1780363800000000, 1780365600000000, 1780367400000000, 1780369200000000, 1780371000000000, 1780372800000000, 1780374600000000, 1780376400000000, 1780378200000000, 1780444800000000, 1780446600000000, 1780534800000000, 1780549200000000, 1780556400000000, 1780563600000000, 1780570800000000, 1780578000000000, 1780585200000000][index + 1] as moment, moment as start_0, moment as start_1, moment as start_2, moment as start_3, false as is_snapshot, null as c0_n, null as c1_s, null as c1_n, null as c1_lo, null as c1_hi, null as c1_x, null as c3_last, null as c1_a, null as c1_tame, p2_1_c
  from fg_differences
  union all
  select k0, k1, moment, (moment - 3600000000) - ((moment - 3600000000) % 300000000 + 300000000) % 300000000 as start_0, (moment - 86400000000) - ((moment - 86400000000) % 3600000000 + 3600000000) % 3600000000 as start_1, (moment - 86400000000) - ((moment - 86400000000) % 420000000 + 420000000) % 420000000 as start_2, (moment - 7200000000) - ((moment - 7200000000) % 300000000 + 300000000) % 300000000 as start_3, true as is_snapshot, null as c0_n, null as c1_s, null as c1_n, null as c1_lo, null as c1_hi, null as c1_x, null as c3_last, null as c1_a, null as c1_tame, null as p2_1_c
  from (select k0, k1, [1780356600000000, 1780358400000000, 1780360200000000, 1780362000000000, 1780363800000000, 1780365600000000, 1780367400000000, 1780369200000000, 1780371000000000, 1780372800000000, 1780374600000000, 1780376400000000, 1780378200000000, 1780444800000000, 1780446600000000, 1780534800000000, 1780549200000000, 1780556400000000, 1780563600000000, 1780570800000000, 1780578000000000, 1780585200000000][index + 1] as moment from snapshots)
), parts as (
  select k0, k1, moment, is_snapshot,
    sum(c0_n) over w0 as p0_0_n,
    sum(c1_s) over w1 as p1_1_s,
    sum(c1_n) over w1 as p1_1_n,
    sum(c1_x) over w1 as p1_1_x,
    min(c1_lo) over w1 as p1_1_lo,
    max(c1_hi) over w1 as p1_1_hi,
    var_samp(c1_tame) over w1 as p1_1_w,
    sum(p2_1_c) over until_now as p2_1_d,
    last_value(c3_last ignore nulls) over w2 as p3_2_last,
    sum(c1_s) over w3 as p1_3_s,
    sum(c1_a) over w3 as p1_3_a,
    sum(c1_a) over w1 as p1_1_a
  from timeline
  window w0 as (partition by k0, k1 order by moment range between (moment - start_0) preceding and 1 preceding),
    w1 as (partition by k0, k1 order by moment range between (moment - start_1) preceding and 1 preceding),
    w2 as (partition by k0, k1 order by moment range between (moment - start_2) preceding and 1 preceding),
    w3 as (partition by k0, k1 order by moment range between (moment - start_3) preceding and 1 preceding),
    until_now as (partition by k0, k1 order by moment range unbounded preceding)
), finished as (
  select *,
    case when p1_1_n < 2 then null when p1_1_lo = p1_1_hi then 0::double when p1_1_x > 0 then null else p1_1_w end as p1_1_v
  from parts where is_snapshot
)
select k0 as "shop", k1 as "till", make_timestamptz(moment) as event_timestamp, false as closing,
  cast(cast(coalesce(p0_0_n, 0) as bigint) as bigint) as "n",
  cast(p1_1_v as double) as "spread",
  cast(1e-9::double * p1_1_v + 1e-14::double * abs(p1_1_s / p1_1_n / 5.421010862427522e-20::double) * sqrt(p1_1_v) as double) as "spread__tolerance",
  cast(coalesce(p2_1_d, 0) as bigint) as "shops",
  cast(p3_2_last as decimal(19, 2)) as "last_price",
  cast(case when isfinite(coalesce(p1_3_s, 0::double) / 5.421010862427522e-20::double) then coalesce(p1_3_s, 0::double) / 5.421010862427522e-20::double end as double) as "a",
  cast(case when isfinite(coalesce(p1_1_s, 0::double) / 5.421010862427522e-20::double) then coalesce(p1_1_s, 0::double) / 5.421010862427522e-20::double end as double) as "a__tolerance",
  cast(coalesce(p1_1_a, 0::double) * 1e-9::double / 5.421010862427522e-20::double as double) as "a__tolerance__tolerance"
from finished
union all
select k0, k1, make_timestamptz([1780356600000000, 1780358400000000, 1780360200000000, 1780362000000000, 1780363800000000, 1780365600000000, 1780367400000000, 1780369200000000, 1780371000000000, 1780372800000000, 1780374600000000, 1780376400000000, 1780378200000000, 1780444800000000, 1780446600000000, 1780534800000000, 1780549200000000, 1780556400000000, 1780563600000000, 1780570800000000, 1780578000000000, 1780585200000000][(until_index + 1) + 1]), true,
  cast(0 as bigint), cast(null as double), cast(0 as double), cast(0 as bigint), cast(null as decimal(19, 2)), cast(0 as double), cast(0 as double), cast(0 as double)
from runs where closes
) to '/lake/rows' (format parquet, compression zstd, per_thread_output true);
